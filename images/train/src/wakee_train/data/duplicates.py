"""Which of equal pictures becomes a sample.

Pictures are equal when their bytes are: they are known by the SHA-256 of what was read. An ETag is not enough. It says
that an object changed, but the same bytes have another one for each way in which they were uploaded in parts.

Of each person, one row of a picture becomes a sample. The same picture of several people says nothing about these
people (a stock photo, a test card): they stay different people. Whether the picture can be used then depends on their
splits, which `assignment` decides.
"""

from collections.abc import Iterable

from wakee_train.data.annotations import Annotation
from wakee_train.data.records import Quarantined, SharedPicture

DUPLICATE = "duplicate"
"""The same picture again: left out, and not a defect of the source."""
DUPLICATES_RULE = "equal-by-sha256-one-of-a-person"
"""Part of a data set's identity: changes when other pictures would be left out."""
Owner = tuple[bytes, int | None]
"""A picture, and whose it is; None: it has neither user nor session."""


class Selection:
    """Takes the first usable row of each picture and person. Rows come in the order of the data set."""

    def __init__(self) -> None:
        self._people: dict[bytes, dict[int, None]] = {}  # a set in the order of the rows
        self._taken: dict[Owner, Annotation] = {}
        self._left_out: list[Quarantined] = []

    def add_people(self, picture: bytes, rows: Iterable[Annotation]) -> None:
        """Note who has a picture.

        Args:
            picture: The SHA-256 of its bytes.
            rows: All its rows, usable or not.
        """
        self._people.setdefault(picture, {}).update(dict.fromkeys(row.facts.person for row in rows))

    def take(self, picture: bytes, row: Annotation) -> bool:
        """Whether a usable row becomes a sample."""
        first = self._taken.setdefault((picture, row.facts.person if row.facts.named else None), row)
        if first is not row:
            detail = f"the same picture as {first.name}"
            self._left_out.append(Quarantined(name=row.name, key=row.key, reason=DUPLICATE, detail=detail))
        return first is row

    def left_out(self) -> list[Quarantined]:
        """The usable rows that are not samples, and why."""
        return self._left_out

    def shared(self) -> list[SharedPicture]:
        """The pictures that several people have, and that are samples."""
        names: dict[bytes, list[str]] = {}
        for (picture, _), row in self._taken.items():
            names.setdefault(picture, []).append(row.name)
        return [
            SharedPicture(names=shown, people=list(self._people[picture]))
            for picture, shown in names.items()
            if len(self._people[picture]) > 1
        ]
