"""Sources of labelled clips, one class a file."""

from lightning_emorec.corpora.corpus import Corpus
from lightning_emorec.corpora.manifest import ManifestCorpus
from lightning_emorec.corpora.meld import Meld
from lightning_emorec.corpora.ravdess import Ravdess
from lightning_emorec.corpora.synthetic import Synthetic

__all__ = ["Corpus", "ManifestCorpus", "Meld", "Ravdess", "Synthetic"]
