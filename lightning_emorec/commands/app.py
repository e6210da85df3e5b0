"""`python -m lightning_emorec app`."""

from __future__ import annotations

import logging
import os
from importlib.util import find_spec

from lightning_emorec.app.uploads import Uploads, upload_folder
from lightning_emorec.errors import EmorecError, UnavailableError
from lightning_emorec.recognition.options import Options
from lightning_emorec.recognition.recognizer import Recognizer

log = logging.getLogger(__name__)

HERE = ("127.0.0.1", "localhost", "::1")


def app(
    ckpt: str | None = None,
    host: str = "127.0.0.1",
    port: int = 7860,
    max_minutes: float = 60.0,
    max_mb: int = 500,
    coverage: float = 0.9,
    no_text: bool = False,
    device: str | None = None,
    threads: int | None = None,
    offline: bool = False,
    runs: str = "runs",
) -> None:
    """Serve a page on which recordings are labelled with a trained model, one at a time.

    Emotion that a voice expresses is not what a person feels. In the EU, inferring emotions at work and in education
    is prohibited (Regulation (EU) 2024/1689, Article 5(1)(f)), and persons exposed must be informed (Article 50(3)).
    See the page on law and ethics of the documentation: docs/law.md.

    A recording stays in the user's cache folder until its answer is given, and is then removed. Programs can ask the
    endpoint /predict, which answers what `predict --branches true --format json` writes.

    Args:
        ckpt: Model: a run's name or folder, a checkpoint, the folder of an export, or hf:USER/REPO[@REVISION]; by
            default the newest finished run.
        host: Address to listen at; by default only this machine can reach the page.
        port: Port to listen at; 0 takes one that is free.
        max_minutes: Longest recording.
        max_mb: Largest file in MB.
        coverage: Share of clips whose right class the sets of classes shall hold.
        no_text: Leave out the branches that read text.
        device: Such as cpu or cuda:0; by default a GPU where there is one.
        threads: That the model computes with.
        offline: Reach for no hub for the model.
        runs: Folder of all runs.

    Raises:
        EmorecError: No model, an option that cannot be, or Gradio is not installed.
    """
    if find_spec("gradio") is None:
        fix = "pip install 'lightning-emorec[app]'"
        raise UnavailableError("the package gradio", "it is not installed", fix)
    if not (max_minutes > 0 and max_mb > 0):
        found = f"max_minutes {max_minutes:g}, max_mb {max_mb}"
        raise EmorecError("positive limits", found, "set --max_minutes and --max_mb")
    if host not in HERE:
        log.warning("others on the network can reach this page; it has no password and no encryption")
    recognizer = Recognizer.load(
        ckpt,
        Options(coverage=coverage, branches=True),
        runs=runs,
        text=not no_text,
        device=device,
        threads=threads,
        offline=offline,
    )
    for note in recognizer.notes:
        log.warning("%s", note)
    with upload_folder() as folder:
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
        os.environ["GRADIO_TEMP_DIR"] = str(folder)
        from lightning_emorec.app.page import Judge
        from lightning_emorec.app.server import serve

        judge = Judge(recognizer, Uploads(folder), 60 * max_minutes)
        serve(judge, host, port, max_mb * 10**6, folder.parent / "examples")
