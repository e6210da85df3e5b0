"""`python -m lightning_emorec predict`."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Literal, cast

import numpy as np

from lightning_emorec.errors import EmorecError
from lightning_emorec.recognition.embeddings import Embeddings
from lightning_emorec.recognition.formats import FORMATS, ONE_RECORDING, suffix_of
from lightning_emorec.recognition.labelling import Labelling, Place
from lightning_emorec.recognition.options import Options
from lightning_emorec.recognition.recognizer import Recognizer
from lightning_emorec.recognition.sources import Source, duration_of, sources_of
from lightning_emorec.recognition.speakers import By, Speakers

log = logging.getLogger(__name__)

SOME_FAILED = 3
"""Exit status where some recordings could not be labelled; the others are."""

Format = Literal["table", "json", "jsonl", "csv", "srt", "vtt", "textgrid", "rttm"]


def predict(
    paths: list[str] = [],  # noqa: B006 - never changed
    ckpt: str | None = None,
    list: str | None = None,
    format: Format | None = None,
    output: str | None = None,
    per: Literal["segment", "file"] = "segment",
    whole_s: float = 15.0,
    window_s: float = 4.0,
    step_s: float = 2.0,
    min_s: float = 0.5,
    coverage: float = 0.9,
    branches: bool = False,
    task: str | None = None,
    top_k: int | None = None,
    text: str | None = None,
    no_text: bool = False,
    channel: int | Literal["each", "mix"] | None = None,
    adapt: Literal["none", "speaker", "recording"] = "none",
    embeddings: str | None = None,
    device: str | None = None,
    threads: int | None = None,
    offline: bool = False,
    dry_run: bool = False,
    runs: str = "runs",
) -> None:
    """Label recordings with a trained model: an emotion, how sure it is, and what else it may be.

    Emotion that a voice expresses is not what a person feels. In the EU, inferring emotions at work and in education
    is prohibited (Regulation (EU) 2024/1689, Article 5(1)(f)), and persons exposed must be informed (Article 50(3)).
    See the page on law and ethics of the documentation: docs/law.md.

    Results go to standard output as they come, or to --output; everything else goes to standard error. Recordings
    longer than --whole_s are labelled in segments, over their speech. A repeated call with --output does only what is
    missing or differs. A recording that cannot be read is named at the end, and the exit status is then 3.

    Args:
        paths: Recordings, folders of them, patterns, or - for one recording on standard input.
        ckpt: Model: a run's name or folder, a checkpoint, the folder of an export, or hf:USER/REPO[@REVISION]; by
            default the newest finished run.
        list: A table of recordings, CSV or JSON lines, with the columns path[,start,end,speaker,text]; - reads it
            from standard input.
        format: Of the results; by default as the suffix of --output says, else table.
        output: File, or folder for one file a recording.
        per: One result a segment, or one a recording with the mean probabilities of its speech.
        whole_s: Recordings up to this length in s are judged whole.
        window_s: Length of the windows over longer recordings in s.
        step_s: From window to window, and the length of a segment, in s.
        min_s: In longer recordings, speech shorter than this in s is not judged.
        coverage: Share of clips whose right class the sets of classes shall hold.
        branches: Give the probabilities of each branch, too.
        task: Further tasks to give, with commas between; sex, for one, is inferred of a person: none by default.
        top_k: Give only so many of the most probable emotions; branches and further tasks keep all.
        text: What is said, where there is one recording; else it is transcribed, if the model reads text.
        no_text: Leave out the branches that read text.
        channel: Take this one, counted from 0, each as a speaker, or their mix; by default what the model was trained
            on: one channel, as --data.channel of fit chose it, or the mix.
        adapt: Judge each clip knowing the others of its speaker, without labels: those of the same name in the column
            `speaker` of --list, or all of a recording that has one speaker. Takes two passes, and a model that was
            trained with `adapt: speaker`.
        embeddings: An .npz file for the embeddings of each segment, by a checkpoint; an export has none.
        device: Such as cpu or cuda:0, for a checkpoint; by default a GPU where there is one.
        threads: That the model computes with.
        offline: Reach for no hub.
        dry_run: Only print what would be done: recordings, hours, and an estimate of the time.
        runs: Folder of all runs.

    Raises:
        EmorecError: No model, no recordings, or an option that cannot be.
    """
    sources = sources_of(paths, list)
    if text is not None and len(sources) > 1:
        expected = "one recording with --text"
        raise EmorecError(expected, f"{len(sources)}", "give texts in a column of --list")
    sources = [replace(source, text=text) for source in sources] if text is not None else sources
    tasks = tuple(task.split(",")) if task else ()
    options = Options(whole_s, window_s, step_s, min_s, coverage, branches, tasks, channel)
    recognizer = Recognizer.load(
        ckpt, options, runs=runs, text=not no_text, device=device, threads=threads, offline=offline
    )
    model = recognizer.model
    if embeddings and not model.embeds:
        expected = "a model with embeddings for --embeddings"
        raise EmorecError(expected, f"{model.name}, which has none", "leave it out, or name another --ckpt")
    if not no_text and not model.reads_text and any(source.text is not None for source in sources):
        log.warning("texts are given but not used: the model reads no text")
    for note in recognizer.notes:
        log.warning("%s", note)
    by = None if adapt == "none" else adapt
    if dry_run:
        _print_plan(recognizer, sources, by)
        return
    kept = Embeddings() if embeddings else None
    place = _place(output, format, sources)
    labelling = Labelling(recognizer, sources, place, per, top_k, kept, by)
    failed = labelling.run()
    if embeddings and kept is not None:
        kept.save(Path(embeddings))
    if failed:
        for name, error in failed.items():
            print(f"{name}: {error}", file=sys.stderr)
        print(f"{len(failed)} of {len(sources)} recordings could not be labelled", file=sys.stderr)
        raise SystemExit(SOME_FAILED)


def _place(output: str | None, format: Format | None, sources: Sequence[Source]) -> Place:
    """Where results go.

    Raises:
        EmorecError: The format is not known, or holds one recording only.
    """
    path = None if output is None else Path(output).expanduser()
    folder = path is not None and (path.is_dir() or not path.suffix)
    if format is None:
        named = {suffix_of(known).lower(): known for known in FORMATS}
        if path is not None and not folder and path.suffix.lower() not in named:
            expected = f"a suffix among {', '.join(named)}"
            raise EmorecError(expected, f"{path.name}", "set --format, or another --output")
        format = "table" if path is None else "csv" if folder else cast(Format, named[path.suffix.lower()])
    if format in ONE_RECORDING and not folder and len({source.name for source in sources}) > 1:
        expected = f"one recording in a file of the format {format}"
        raise EmorecError(expected, f"{len(sources)}", "set --output to a folder")
    return Place(path, folder, format)


def _print_plan(recognizer: Recognizer, sources: Sequence[Source], by: By | None) -> None:
    """Print what would be done, on standard error; the time is estimated from one window of noise."""
    if by is not None:
        print(Speakers(recognizer, sources, by).plan, file=sys.stderr)
    known = [seconds for source in sources if (seconds := duration_of(source)) is not None]
    unknown = f" ({len(sources) - len(known)} of unknown length)" if len(known) < len(sources) else ""
    options, rate_hz = recognizer.options, recognizer.model.rate_hz
    noise = np.random.default_rng(0).normal(0, 0.05, round(options.window_s * rate_hz)).astype(np.float32)
    recognizer.predict(noise, rate_hz)  # what is loaded on first use
    begun = time.monotonic()
    recognizer.predict(noise, rate_hz)
    each = time.monotonic() - begun
    windows = sum(1 if of <= options.whole_s else of / options.step_s for of in known)
    print(
        f"{len(sources)} recordings{unknown}, {sum(known) / 3600:.2f} h; model {recognizer.label}; "
        f"about {timedelta(seconds=round(windows * each))} here at {each:.2f} s a window",
        file=sys.stderr,
    )
