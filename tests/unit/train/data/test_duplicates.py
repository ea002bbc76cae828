"""Of equal pictures each person has one, and none is lost."""

from hypothesis import given
from hypothesis import strategies as st
from wakee_train.data.annotations import Annotation
from wakee_train.data.duplicates import Selection
from wakee_train.data.records import Facts

ROWS = st.lists(st.tuples(st.integers(1, 5), st.integers(0, 3), st.booleans()), min_size=1, max_size=15)
"""Whose a row is (1: nobody's, with a number of its own), its picture, and whether it is usable."""


def annotation(at: int, person: int) -> Annotation:
    facts = Facts(person if person > 1 else 100 + at, None, "", True, at, "user" if person > 1 else "picture")
    return Annotation(f"{at}.jpg", f"pictures/{at}.jpg", (1.0, 1.0, 1.0, 1.0), facts)


@given(ROWS)
def test_of_each_picture_every_person_has_one_sample(rows):
    selection, taken = Selection(), list[int]()
    for at, (person, picture, usable) in enumerate(rows):
        row = annotation(at, person)
        selection.add_people(picture.to_bytes(32), [row])
        if usable and selection.take(picture.to_bytes(32), row):
            taken.append(at)

    usable = [at for at, (*_, usable) in enumerate(rows) if usable]
    assert {rows[at][:2] for at in taken} == {rows[at][:2] for at in usable}
    assert len({rows[at][:2] for at in taken}) == len(taken)
    assert {row.name for row in selection.left_out()} == {f"{at}.jpg" for at in usable} - {f"{at}.jpg" for at in taken}


@given(ROWS)
def test_shared_pictures_name_all_their_people(rows):
    selection = Selection()
    for at, (person, picture, usable) in enumerate(rows):
        row = annotation(at, person)
        selection.add_people(picture.to_bytes(32), [row])
        if usable:
            selection.take(picture.to_bytes(32), row)

    for shared in selection.shared():
        picture = rows[int(shared.names[0].removesuffix(".jpg"))][1]
        people = {annotation(at, person).facts.person for at, (person, other, _) in enumerate(rows) if other == picture}
        assert set(shared.people) == people
        assert len(people) > 1
