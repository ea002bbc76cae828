"""Select one sample from the rows of equal pictures.

Pictures are equal if their bytes are equal, compared by SHA-256. An ETag is not enough: the ETag of a multipart upload
depends on the part size, so equal bytes can have different ETags.

One row per picture and person becomes a sample. A picture that several people have (a stock photo, a test card) does
not make them the same person. Whether it is used depends on the splits of these people (`assignment`).
"""

from collections.abc import Iterable

from wakee_train.data.annotations import Annotation
from wakee_train.data.records import Quarantined, SharedPicture

DUPLICATE = "duplicate"
"""A repeated picture: excluded, but not a defect of the source."""
DUPLICATES_RULE = "equal-by-sha256-one-of-a-person"
"""Part of a data set's id. Change it when the rule selects other pictures."""
Owner = tuple[bytes, int | None]
"""A picture's SHA-256 and its person. None: the row has neither user nor session."""


class Selection:
    """Selects the first usable row of each picture and person. Rows must come in the order of the data set."""

    def __init__(self) -> None:
        self._people: dict[bytes, dict[int, None]] = {}  # a set in the order of the rows
        self._taken: dict[Owner, Annotation] = {}
        self._left_out: list[Quarantined] = []

    def add_people(self, picture: bytes, rows: Iterable[Annotation]) -> None:
        """Register the people who have a picture.

        Args:
            picture: The SHA-256 of its bytes.
            rows: All its rows, usable or not.
        """
        self._people.setdefault(picture, {}).update(dict.fromkeys(row.facts.person for row in rows))

    def take(self, picture: bytes, row: Annotation) -> bool:
        """Return whether a usable row becomes a sample."""
        first = self._taken.setdefault((picture, row.facts.person if row.facts.named else None), row)
        if first is not row:
            detail = f"the same picture as {first.name}"
            self._left_out.append(Quarantined(name=row.name, key=row.key, reason=DUPLICATE, detail=detail))
        return first is row

    def left_out(self) -> list[Quarantined]:
        """The usable rows that are not samples, with the reason."""
        return self._left_out

    def shared(self) -> list[SharedPicture]:
        """The samples whose picture several people have."""
        names: dict[bytes, list[str]] = {}
        for (picture, _), row in self._taken.items():
            names.setdefault(picture, []).append(row.name)
        return [
            SharedPicture(names=shown, people=list(self._people[picture]))
            for picture, shown in names.items()
            if len(self._people[picture]) > 1
        ]
