"""`python -m lightning_emorec VERB`: the verbs, their help, and how a process ends."""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import sys
import warnings
from difflib import get_close_matches
from importlib import import_module
from inspect import getdoc, signature
from typing import Any, NamedTuple, get_type_hints

from lightning_emorec import __doc__ as package_summary
from lightning_emorec import __version__
from lightning_emorec.errors import EmorecError, line_and_status
from lightning_emorec.installation import command_name, with_installed_paths
from lightning_emorec.jobs.signals import STOPS, stopped_by
from lightning_emorec.user_caches import settle_user_caches

LIGHTNING_CLI = "lightning_emorec.cli:run"
"""`module:function` that is given the whole command line, the verb first."""


class Verb(NamedTuple):
    """A verb of the command line.

    Attributes:
        function: `module:function` that does it; but for `LIGHTNING_CLI`, its signature is the verb's command line.
        summary: One line for the list of verbs.
        example: Arguments of a typical use.
        shared: Whether the processes that torchrun or srun starts share the work; else only one may be started.
    """

    function: str
    summary: str
    example: str
    shared: bool = False


_FIT = "--config configs/demo.yaml"
_BEST = "--ckpt_path runs/demo/checkpoints/best.ckpt"
_COMMANDS = "lightning_emorec.commands"

VERBS = {
    "check": Verb(
        f"{_COMMANDS}.check.verb:check",
        "say what is in a table and its recordings, and what is wrong",
        "recordings.csv",
    ),
    "fit": Verb(LIGHTNING_CLI, "train a model, or branches and their fusion, then test", _FIT),
    "validate": Verb(LIGHTNING_CLI, "score a checkpoint on validation actors", _BEST),
    "test": Verb(LIGHTNING_CLI, "score a checkpoint on test actors", _BEST),
    "crossval": Verb(
        f"{_COMMANDS}.crossval.verb:crossval",
        "test on every actor once, by training on the others",
        f"{_FIT} --folds 4 --inner 0",
    ),
    "compare": Verb(
        f"{_COMMANDS}.compare:compare",
        "compare finished runs, with intervals and paired tests",
        "demo demo-2",
    ),
    "stress": Verb(
        f"{_COMMANDS}.stress.verb:stress",
        "score a finished run on degraded audio",
        "demo --conditions white,babble",
    ),
    "sweep": Verb(
        f"{_COMMANDS}.sweep.verb:sweep",
        "search hyper-parameters as a W&B sweep file says, without an account",
        "sweeps/audio_cnn.yaml --trials 20",
    ),
    "export": Verb(
        f"{_COMMANDS}.export:export",
        "write a trained model as one ONNX file with its card",
        "demo exported",
    ),
    "push": Verb(
        f"{_COMMANDS}.push:push",
        "put an export on the Hugging Face hub, private by default",
        "exported user/emotion",
    ),
    "predict": Verb(
        f"{_COMMANDS}.predict:predict",
        "label recordings with a trained model",
        "interview.wav calls/ -o emotions.csv",
        shared=True,
    ),
    "app": Verb(
        f"{_COMMANDS}.app:app",
        "serve a page for the browser that labels recordings",
        "--ckpt demo --port 8000",
    ),
}

SHORT = {"-o": "--output", "-f": "--format"}
"""Short forms of flags that people know from other tools."""


def main(args: list[str] | None = None) -> object:
    """Run a verb.

    Args:
        args: Command line without the program's name; by default the process's own.

    Returns:
        What the verb made: the `EmorecCLI` of fit, validate and test.

    Raises:
        SystemExit: After one line on stderr. Status 2 for what the user can correct, 130 after Ctrl-C, 143 after
            SIGTERM, 138 after SIGUSR1, 141 where nobody reads the output any more.
    """
    args = sys.argv[1:] if args is None else args
    if not args or args[0] in ("-h", "--help"):
        return print(_help())
    if args[0] == "--version":
        return print(f"lightning-emorec {__version__}")
    _log_to_terminal()
    # Threads that wait by spinning made training five times slower beside another busy process.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with stopped_by(*STOPS):
        try:
            return _run(args)
        except BrokenPipeError:  # whoever read the output, as `head`, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for Python flushes it at the end
            raise SystemExit(128 + signal.SIGPIPE) from None
        except BaseException as error:
            if (ending := line_and_status(error)) is None:
                raise
            line, status = ending
            print(line, file=sys.stderr)
            raise SystemExit(status) from error


def command() -> None:
    """The console script, whose exit status is what this returns."""
    main()


def _help() -> str:
    width = max(map(len, VERBS))
    listed = "\n".join(f"  {name:{width}}  {verb.summary}" for name, verb in VERBS.items())
    usage = f"usage: {command_name()} [--help | --version] VERB [--help] ..."
    return f"{usage}\n\n{package_summary}\n\nverbs:\n{listed}"


def _run(args: list[str]) -> object:
    """Run a verb; options before it are LightningCLI's."""
    name, *rest = args = with_installed_paths(args)
    verb = VERBS.get(name)
    if verb is None and not name.startswith("-"):
        close = get_close_matches(name, VERBS, n=1)
        fix = f"did you mean {close[0]}?" if close else f"see {command_name()} --help"
        raise EmorecError(f"a verb among {', '.join(VERBS)}", name, fix)
    if verb is not None and {"-h", "--help"} & set(rest):
        print(f"example: {command_name()} {name} {verb.example}\n")
    settle_user_caches()
    if verb is None or verb.function == LIGHTNING_CLI:
        return _imported(LIGHTNING_CLI)(args)
    return _call(name, verb, rest)


def _imported(where: str) -> Any:
    """The function at `module:function`."""
    module, name = where.split(":")
    if module not in sys.modules and gc.isenabled():
        # To look for garbage among the objects that Lightning's import makes took a sixth of its time.
        gc.disable()
        try:
            import_module(module)
        finally:
            gc.freeze()  # what is imported stays, so that no later collection goes through it either
            gc.enable()
    return getattr(import_module(module), name)


def _call(name: str, verb: Verb, args: list[str]) -> object:
    """Call the function of a verb with the arguments that its signature asks for.

    What follows `--` is its parameter `fit_args`: arguments of the `fit`s that the verb starts. A first parameter that
    is a list of texts takes words, at least one if it is required, as in `compare RUN RUN`.
    """
    from argparse import RawDescriptionHelpFormatter

    from jsonargparse import ArgumentParser, DefaultHelpFormatter

    # Its import takes seconds, and neither torchrun nor Slurm starts a process without one of these.
    if not verb.shared and {"RANK", "SLURM_PROCID"} & os.environ.keys():
        from lightning_emorec.distributed.launch import refuse_other_ranks

        refuse_other_ranks(name)
    if "--" in args:
        cut = args.index("--")
        args = [*args[:cut], "--fit_args", json.dumps(args[cut + 1 :])]
    function = _imported(verb.function)
    description = (getdoc(function) or "").partition("\n\nArgs:")[0]

    class Formatter(DefaultHelpFormatter, RawDescriptionHelpFormatter):
        """The defaults of arguments, and paragraphs as the docstring has them."""

    parser = ArgumentParser(
        prog=f"{command_name()} {name}", description=description, formatter_class=Formatter
    )
    first = next(iter(signature(function).parameters.values()))
    words: set[str | int] = {first.name} if get_type_hints(function)[first.name] == list[str] else set()
    if words:
        many = "+" if first.default is first.empty else "*"
        parser.add_argument(first.name, nargs=many, type=str, metavar=first.name.upper())
    parser.add_function_arguments(function, as_positional=True, skip=words)
    switches = {f"--{flag}" for flag, kind in get_type_hints(function).items() if kind is bool}
    given = parser.parse_args(with_values([SHORT.get(arg, arg) for arg in args], switches))
    return function(**vars(parser.instantiate(given)))


def with_values(args: list[str], switches: set[str]) -> list[str]:
    """Arguments in which a switch that stands alone, as `--branches`, has the value that jsonargparse wants."""
    following = [*args, ""][1:]
    return [
        word
        for arg, after in zip(args, following, strict=True)
        for word in ([arg, "true"] if arg in switches and after not in ("true", "false") else [arg])
    ]


def _log_to_terminal() -> None:
    log = logging.getLogger("lightning_emorec")
    if not log.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        log.propagate = False
    for noise in (
        ".*LeafSpec.*",
        ".*run with no optimizer.*",
        ".*does not have many workers.*",
        ".*log_every_n_steps.*",
        ".*predict returned None.*",
        ".*Total length of `list` across ranks is zero.*",  # a fit without validation
    ):
        warnings.filterwarnings("ignore", message=noise)
    # Lightning reports each checkpoint that it reads, twice; its warnings stay.
    logging.getLogger("lightning.pytorch.utilities.rank_zero").setLevel(logging.WARNING)


if __name__ == "__main__":
    main()
