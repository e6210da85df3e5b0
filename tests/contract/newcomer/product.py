"""A fusion rule as a newcomer would write it."""

from torch import Tensor

from lightning_emorec.fusion import FusionRule


class Product(FusionRule):
    """The mean of the branches' log-probabilities."""

    def fuse(self, log_p: Tensor) -> Tensor:
        """(branches, batch, classes) -> (batch, classes)."""
        return log_p.mean(dim=0).log_softmax(dim=-1)

    @property
    def shares(self) -> None:
        """None: nothing is weighed."""
        return
