"""Sources of labelled clips, one class a file."""

from lightning_emorec.corpora.audformat_database import AudformatDatabase
from lightning_emorec.corpora.corpus import Corpus
from lightning_emorec.corpora.iemocap import Iemocap
from lightning_emorec.corpora.joined import JoinedCorpora
from lightning_emorec.corpora.kaldi import KaldiFolder
from lightning_emorec.corpora.manifest import ManifestCorpus
from lightning_emorec.corpora.meld import Meld
from lightning_emorec.corpora.named_files import NamedFiles
from lightning_emorec.corpora.parquet import ParquetFiles
from lightning_emorec.corpora.ravdess import Ravdess
from lightning_emorec.corpora.synthetic import Synthetic

__all__ = [
    "AudformatDatabase",
    "Corpus",
    "Iemocap",
    "JoinedCorpora",
    "KaldiFolder",
    "ManifestCorpus",
    "Meld",
    "NamedFiles",
    "ParquetFiles",
    "Ravdess",
    "Synthetic",
]
