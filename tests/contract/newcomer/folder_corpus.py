"""A corpus as a newcomer would write it: files named ACTOR-PITCH-TAKE.wav in one folder."""

from pathlib import Path

from lightning_emorec.corpora import Corpus
from lightning_emorec.errors import EmorecError
from lightning_emorec.types import Clip, Tasks


class FolderCorpus(Corpus):
    """Recordings whose names say who speaks, and how high.

    Args:
        root: The folder.
    """

    def __init__(self, root: str) -> None:
        self.root = Path(root)

    @property
    def tasks(self) -> Tasks:
        """One task."""
        return {"pitch": ["low", "middle", "high"]}

    def clips(self) -> list[Clip]:
        """A clip a file."""
        files = sorted(self.root.glob("*-*-*.wav"))
        if not files:
            raise EmorecError(
                "files named ACTOR-PITCH-TAKE.wav", f"none in {self.root}", "set data.corpus.root"
            )
        named = [(file, *file.stem.split("-")) for file in files]
        return [Clip(file.name, actor, file, {"pitch": pitch}) for file, actor, pitch, _ in named]
