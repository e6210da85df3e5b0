"""The subject of a cross-validation: a resolved config, its corpus and its models."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import yaml

# Imported for their side effect too: jsonargparse finds a class by its short name once it is imported.
from lightning_emorec import corpora, splits  # noqa: F401
from lightning_emorec.audio import AudioStore, sounds_of
from lightning_emorec.branches import branch_origins, needs_audio, resolve_spec
from lightning_emorec.dataset import content_of
from lightning_emorec.errors import EmorecError
from lightning_emorec.inference import datamodule_of
from lightning_emorec.jobs.child import fit_command
from lightning_emorec.runs.fingerprint import describe_clips, fingerprint, fusion_fingerprint
from lightning_emorec.runs.train_branches import available_branches
from lightning_emorec.splits import Parts
from lightning_emorec.types import Clip, Tasks

Config = dict[str, Any]

SET_BY_CROSSVAL = ("--config", "--data.split", "--name", "--runs", "--ckpt_path", "--test_after_fit")


def resolve(config: str, fit_args: Sequence[str]) -> Config:
    """Resolve a config and further arguments of `fit`, with all references and defaults filled in.

    Runs `fit --resolve_to` in a child process, as the defaults are defined by its parser.

    Raises:
        EmorecError: `fit` refuses them, or crossval sets one of the arguments itself.
    """
    if taken := [arg for arg in fit_args if arg.startswith(SET_BY_CROSSVAL)]:
        flag = taken[0].partition("=")[0]
        raise EmorecError(
            "arguments of `fit` that crossval does not set itself", taken[0], f"remove {flag} after --"
        )
    with TemporaryDirectory() as folder:
        file = Path(folder) / "config.yaml"
        command = fit_command("--config", config, *fit_args, "--resolve_to", str(file))
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or not file.is_file():
            reason = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
            fix = f"correct {config} or the arguments after --"
            raise EmorecError(f"a config that `fit` accepts in {config}", reason[0].strip(), fix)
        return cast(Config, yaml.safe_load(file.read_text(encoding="utf8")))


@dataclass(frozen=True)
class ModelSpec:
    """A model, fused or single, independent of the fold it is trained on.

    Attributes:
        config: The result of `resolve`.
        clips: All clips of the corpus.
        tasks: Task name -> class names.
        audio: Store of the clips' audio and digests.
        synthetic: Whether the audio is generated.
        branches: Name -> resolved config of each available branch; empty for a single model.
        origins: Name of a branch, or of a single model's run -> the result of `branch_origins`.
        left_out: Branch name -> the reason why it is not fused.
    """

    config: Config
    clips: list[Clip]
    tasks: Tasks
    audio: AudioStore
    synthetic: bool
    branches: dict[str, Config]
    origins: dict[str, list[str]]
    left_out: dict[str, str]

    @classmethod
    def of(cls, config: Config, split: Config) -> ModelSpec:
        """List the clips, and check that every branch is available.

        Args:
            config: The result of `resolve`.
            split: Any valid split; the split in the config may contain absent actors.

        Raises:
            EmorecError: No clips, or a model that is not available and may not be left out.
        """
        data = datamodule_of({**config["data"], "split": split})
        data.corpus.prepare()
        clips, tasks = data.listed(), data.tasks
        branches = config["model"]["init_args"].get("branches")
        runs = {config["name"]: config} if branches is None else branches
        specs = {name: resolve_spec(run["model"], tasks) for name, run in runs.items()}
        missing = config["model"]["init_args"].get("missing_branch", "error")
        names, left_out = available_branches(specs, Parts(clips, clips, []), missing)
        if any(needs_audio(specs[name]) for name in names):
            sounds_of(clips)  # out-of-fold logits must be of the same clips in every branch
        return cls(
            config=config,
            clips=clips,
            tasks=tasks,
            audio=data.audio,
            synthetic=data.corpus.synthetic,
            branches={name: branches[name] for name in names} if branches is not None else {},
            origins={name: branch_origins(specs[name]) for name in names},
            left_out=left_out,
        )

    def describe(self, parts: Parts) -> str:
        """A hash of the training and validation clips."""
        return describe_clips(parts, self.audio, self.tasks)

    def content(self, clips: Sequence[Clip]) -> str:
        """A hash of test clips."""
        return content_of(clips, self.audio, self.tasks)

    def branch_fingerprint(self, name: str, seed: int, described: str) -> str:
        """The fingerprint of a branch that is trained on clips with the hash `described`."""
        return fingerprint({**self.branches[name], "seed_everything": seed}, described, self.origins[name])

    def run_fingerprint(self, prints: Mapping[str, str], seed: int, described: str) -> str:
        """The fingerprint of the whole run, from the fingerprints of its branches."""
        config = {**self.config, "seed_everything": seed}
        if self.branches:
            return fusion_fingerprint(config, prints, described)
        return fingerprint(config, described, self.origins[config["name"]])
