"""What a recogniser says of how sure it is; `lightning_emorec.confidence`, which training needs as well."""

from lightning_emorec.confidence import Confidence, covered

__all__ = ["Confidence", "covered"]
