"""`python -m lightning_emorec VERB`."""

from __future__ import annotations

import errno
import json
import logging
import os
import sys
import warnings
from importlib import import_module
from inspect import signature
from typing import get_type_hints

from lightning_emorec.types import EmorecError

VERBS: dict[str, str] = {
    "compare": "lightning_emorec.evaluation.comparison:compare",
    "crossval": "lightning_emorec.evaluation.crossval.verb:crossval",
    "stress": "lightning_emorec.evaluation.stress:stress",
}
"""Verb -> `module:function` that does it; its signature is the verb's command line. The others are LightningCLI's."""


def main(args: list[str] | None = None) -> object:
    """Run a verb.

    Args:
        args: Command line without the program's name; by default the process's own.

    Returns:
        What the verb made: the `EmorecCLI` of fit, validate and test.

    Raises:
        SystemExit: Status 2 after one line on stderr for a mistake that the user can mend, 130 after Ctrl-C.
    """
    _log_to_terminal()
    args = sys.argv[1:] if args is None else args
    # Threads that wait by spinning made training five times slower beside another busy process.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        if args and args[0] in VERBS:
            return _do(args[0], args[1:])
        from lightning_emorec.cli import run  # here: torch and lightning take seconds

        return run(args)
    except EmorecError as error:
        _stop(f"error: {error}", 2)
    except KeyboardInterrupt:
        _stop("interrupted: run the same command again to go on from what is done", 130)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        where = f" for {error.filename}" if error.filename else ""
        _stop(
            f"error: expected free space on the disk; found none{where}; free some and run the same command again",
            2,
        )
    return None


def _do(verb: str, args: list[str]) -> object:
    """Run the function of a verb with the arguments that its signature asks for.

    What follows `--` is its parameter `fit_args`: arguments of the `fit`s that the verb starts. A required
    parameter that is a list of texts takes one word or more, as in `compare RUN RUN`.
    """
    from jsonargparse import ArgumentParser

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


def _stop(line: str, status: int) -> None:
    print(line, file=sys.stderr)
    raise SystemExit(status)


if __name__ == "__main__":
    main()
