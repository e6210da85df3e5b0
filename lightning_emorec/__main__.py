"""`python -m lightning_emorec VERB`."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import sys
import warnings
from importlib import import_module
from inspect import signature
from typing import get_type_hints

from lightning_emorec.errors import FULL_DISK, EmorecError, Stopped
from lightning_emorec.jobs.signals import STOPS, stopped_by

VERBS: dict[str, str] = {
    "compare": "lightning_emorec.commands.compare:compare",
    "crossval": "lightning_emorec.commands.crossval.verb:crossval",
    "stress": "lightning_emorec.commands.stress:stress",
    "sweep": "lightning_emorec.commands.sweep.verb:sweep",
}
"""Verb -> `module:function` that does it; its signature is the verb's command line. The others are LightningCLI's."""

WORKER_DIED = re.compile(r"DataLoader worker \(pid.*")
"""How torch tells that a loader's process is gone."""

WORKER_SAID = re.compile(r"(?:Emorec|Unavailable)Error: (expected .*)")
"""The end of the traceback that torch makes of our error in a loader's process; it takes the type away."""


def main(args: list[str] | None = None) -> object:
    """Run a verb.

    Args:
        args: Command line without the program's name; by default the process's own.

    Returns:
        What the verb made: the `EmorecCLI` of fit, validate and test.

    Raises:
        SystemExit: After one line on stderr. Status 2 for what the user can mend, 130 after Ctrl-C, 143 after
            SIGTERM, 138 after SIGUSR1.
    """
    _log_to_terminal()
    args = sys.argv[1:] if args is None else args
    # Threads that wait by spinning made training five times slower beside another busy process.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with stopped_by(*STOPS):
        try:
            if args and args[0] in VERBS:
                return _do(args[0], args[1:])
            from lightning_emorec.cli import run  # here: torch and lightning take seconds

            return run(args)
        except BaseException as error:
            told = _told(error)
            if told is None:
                raise
            line, status = told
            print(line, file=sys.stderr)
            raise SystemExit(status) from error


def _told(error: BaseException) -> tuple[str, int] | None:
    """The line and the status for what a user can mend or has asked for; None for the rest."""
    if isinstance(error, SystemExit):  # Lightning's, in place of Ctrl-C's
        return _told(error.__context__) if isinstance(error.__context__, KeyboardInterrupt) else None
    go_on = "run the same command again to go on from what is done"
    if isinstance(error, Stopped):
        return f"stopped by {error.which.name}: {go_on}", 128 + error.which
    if isinstance(error, KeyboardInterrupt):
        return f"interrupted: {go_on}", 128 + signal.SIGINT
    if isinstance(error, OSError) and error.errno in FULL_DISK:
        where = f" for {error.filename}" if error.filename else ""
        return f"error: expected free space on the disk; found none{where}; free some and {go_on}", 2
    if isinstance(error, RuntimeError) and (said := WORKER_SAID.search(str(error))):
        return f"error: {said[1]}", 2
    if isinstance(error, RuntimeError) and (died := WORKER_DIED.search(str(error))):
        fix = f"if memory ran out, set fewer --data.workers (0: none) or a smaller --data.batch_size; then {go_on}"
        return f"error: expected every data.workers process to stay alive; found {died[0].strip()}; {fix}", 2
    # The parser wraps what a constructor raises into its own error.
    ours = error.__cause__ if isinstance(error, ValueError) else error
    return (f"error: {ours}", 2) if isinstance(ours, EmorecError) else None


def _do(verb: str, args: list[str]) -> object:
    """Run the function of a verb with the arguments that its signature asks for.

    What follows `--` is its parameter `fit_args`: arguments of the `fit`s that the verb starts. A required
    parameter that is a list of texts takes one word or more, as in `compare RUN RUN`.
    """
    from jsonargparse import ArgumentParser

    from lightning_emorec.distributed.launch import refuse_other_ranks

    refuse_other_ranks(verb)
    if "--" in args:
        cut = args.index("--")
        args = [*args[:cut], "--fit_args", json.dumps(args[cut + 1 :])]
    module, name = VERBS[verb].split(":")
    function = getattr(import_module(module), name)
    parser = ArgumentParser(prog=f"python -m lightning_emorec {verb}")
    required = [name for name, of in signature(function).parameters.items() if of.default is of.empty]
    lists = [name for name in required if get_type_hints(function)[name] == list[str]]
    for name in lists:
        parser.add_argument(name, nargs="+", type=str, metavar=name.upper())
    parser.add_function_arguments(function, as_positional=True, skip=set(lists))
    return function(**vars(parser.instantiate(parser.parse_args(args))))


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
    # Lightning tells each checkpoint it reads, twice; its warnings stay.
    logging.getLogger("lightning.pytorch.utilities.rank_zero").setLevel(logging.WARNING)


if __name__ == "__main__":
    main()
