"""Which of equal pictures becomes a sample.

Pictures are equal when their bytes are: they are known by the SHA-256 of what was read. An ETag is not enough. It says
that an object changed, but the same bytes have another one for each way in which they were uploaded in parts.
"""

from collections.abc import Iterable

from wakee_train.data.annotations import Annotation
from wakee_train.data.records import Quarantined
from wakee_train.data.splits import split_of

DUPLICATE = "duplicate"
"""The same picture under a second name of the same split: left out, and not a defect of the source."""
IN_SEVERAL_SPLITS = "in_several_splits"
"""The same picture under names of different splits: none is used, which could empty a split, so it counts as bad."""
DUPLICATES_RULE = "equal-by-sha256-one-of-a-split-none-of-several"
"""Part of a data set's identity: changes when other pictures would be left out."""


class Selection:
    """Takes of each picture the first usable row, and none of a picture whose names belong to several splits.

    All names count, be their rows usable or not, and whichever came first: a model that learnt from a picture must not
    be tested on it. So a row that was taken may have to be withdrawn when another name of its picture comes later.
    """

    def __init__(self) -> None:
        self._splits: dict[bytes, set[str]] = {}
        self._taken: dict[bytes, tuple[int, Annotation]] = {}
        self._others: list[tuple[bytes, Annotation]] = []

    def add_names(self, picture: bytes, names: Iterable[str]) -> None:
        """Note names under which a picture lies.

        Args:
            picture: The SHA-256 of its bytes.
            names: Of all its rows, usable or not.
        """
        self._splits.setdefault(picture, set()).update(map(split_of, names))

    def take(self, picture: bytes, row: Annotation) -> bool:
        """Whether a usable row becomes a sample, as far as is known by now; its name was added before."""
        taken = picture not in self._taken and not self._in_several(picture)
        if taken:
            self._taken[picture] = len(self._taken), row
        else:
            self._others.append((picture, row))
        return taken

    def withdrawn(self) -> set[int]:
        """Positions, among the rows that were taken, of those that no longer may be samples."""
        return {position for picture, (position, _) in self._taken.items() if self._in_several(picture)}

    def left_out(self) -> list[Quarantined]:
        """The usable rows that are not samples, and why."""
        withdrawn = [(picture, row) for picture, (_, row) in self._taken.items() if self._in_several(picture)]
        return [self._quarantined(picture, row) for picture, row in [*withdrawn, *self._others]]

    def _in_several(self, picture: bytes) -> bool:
        return len(self._splits[picture]) > 1

    def _quarantined(self, picture: bytes, row: Annotation) -> Quarantined:
        if self._in_several(picture):
            detail = f"its names are of {' and '.join(sorted(self._splits[picture]))}"
            return Quarantined(name=row.name, key=row.key, reason=IN_SEVERAL_SPLITS, detail=detail)
        first = self._taken[picture][1]
        return Quarantined(name=row.name, key=row.key, reason=DUPLICATE, detail=f"the same picture as {first.name}")
