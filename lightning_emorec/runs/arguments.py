"""What a run's config says beside model, data, trainer and checkpoint."""

from __future__ import annotations

from jsonargparse import ArgumentParser


def add_run_arguments(parser: ArgumentParser) -> None:
    """Add the name and place of a run, and what it does after its `fit`."""
    parser.add_argument("--name", type=str, default="run", help="Name of the run's folder.")
    parser.add_argument("--runs", type=str, default="runs", help="Folder of all runs.")
    parser.add_argument(
        "--test_after_fit",
        type=bool,
        default=True,
        help="Test once, after every choice, where the clips are there.",
    )
    parser.add_argument(
        "--score_training",
        type=bool,
        default=False,
        help="Score the training clips too, as they are: what the model fits better than it generalises.",
    )
    parser.add_argument(
        "--refit",
        type=bool,
        default=False,
        help="When all is chosen, train on training and validation actors, for the chosen number of epochs.",
    )
    parser.add_argument(
        "--branch_jobs",
        type=int,
        default=1,
        help="How many of the branches that a fusion lacks are trained at a time.",
    )
    parser.add_argument("--resolve_to", type=str | None, help="Write the full config there, and stop.")
