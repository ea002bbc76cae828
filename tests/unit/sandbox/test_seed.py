import io
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from PIL import Image
from wakee_common.database import connect, transact
from wakee_common.errors import BadInputError, ConfigurationError
from wakee_common.settings import DatabaseSettings, R2Settings
from wakee_common.storage import MissingObjectError, ObjectStore
from wakee_contract.emotions import EMOTIONS
from wakee_sandbox.annotations import picture
from wakee_sandbox.faces import draw
from wakee_sandbox.habits import Habits
from wakee_sandbox.people import Shot, person
from wakee_sandbox.population import Error, Flaw, Options, Population, parse_bias, parse_until, populate
from wakee_sandbox.seeding import Summary, seed

UNTIL = datetime(2025, 2, 4, 10, 30)
DRIFT_SCORE = f"""
SELECT avg(({" + ".join(f"abs(predicted_{e} - user_{e})" for e in EMOTIONS)}) / 4), count(*) FROM emotion_labels
WHERE is_validated AND timestamp >= timestamp '2025-02-04 10:30' - interval '7 days'"""


def options(**changes: Any) -> Options:
    return Options(**{"until": UNTIL, "rows": 40, "seed": 11, **changes})


def rows(settings: DatabaseSettings, query: str) -> list[tuple[Any, ...]]:
    with closing(connect(settings)) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


@pytest.fixture
def sow(empty_labels: DatabaseSettings, r2: R2Settings) -> Callable[..., Summary]:
    return lambda chosen, **how: seed(chosen, database=empty_labels, r2=r2, **how)


def test_drift_score_of_the_rows_is_the_one_foretold(
    sow: Callable[..., Summary], empty_labels: DatabaseSettings
) -> None:
    drift = Error(parse_bias("confusion=0.5,frustration=0.6"), 0.1)
    summary = sow(options(rows=1000, drift=drift), pictures=False)

    ((score, number),) = rows(empty_labels, DRIFT_SCORE)
    assert summary.drift_score_last_7_days == pytest.approx(score, abs=1e-5)
    assert number == pytest.approx(500, abs=5)  # a session begins at its first slot


def test_again_changes_nothing(sow: Callable[..., Summary], empty_labels: DatabaseSettings, store: ObjectStore) -> None:
    def state() -> tuple[list[tuple[Any, ...]], list[bytes]]:
        table = rows(empty_labels, "SELECT * FROM emotion_labels ORDER BY id")
        return table, [store.get_bytes(store.uri(row[2])) for row in table]

    sow(options())
    before = state()
    sow(options())
    assert state() == before
    assert len(before[0]) == 40


def test_every_row_has_its_picture_with_the_face_it_tells_of(
    sow: Callable[..., Summary], empty_labels: DatabaseSettings, store: ObjectStore
) -> None:
    sow(options(rows=5))
    user = ", ".join(f"user_{emotion}" for emotion in EMOTIONS)
    chosen = options(rows=5)
    for (path, *levels), visit in zip(
        rows(empty_labels, f"SELECT s3_path, {user} FROM emotion_labels ORDER BY id"),
        populate(chosen).visits,
        strict=True,
    ):
        assert store.get_bytes(store.uri(path)) == picture(tuple(levels), visit.shot)


def test_broken_rows_are_broken_as_told(
    sow: Callable[..., Summary], empty_labels: DatabaseSettings, store: ObjectStore
) -> None:
    chosen = options(rows=10, bad=4, seed=99)
    population = populate(chosen)
    name = {flaw: population.names[row] for row, flaw in population.flaws.items()}
    sow(chosen)

    labels = dict(
        rows(empty_labels, "SELECT img_name, user_confusion = 'NaN' OR user_frustration > 3 FROM emotion_labels")
    )
    assert {key for key, broken in labels.items() if broken} == {name[Flaw.NAN_LABEL], name[Flaw.OUT_OF_RANGE]}
    with pytest.raises(MissingObjectError):
        store.get_bytes(store.uri(name[Flaw.MISSING_OBJECT]))
    with pytest.raises(OSError, match="truncated"):
        Image.open(io.BytesIO(store.get_bytes(store.uri(name[Flaw.TRUNCATED_PICTURE])))).load()


def test_reset_leaves_the_rows_of_others(
    sow: Callable[..., Summary], empty_labels: DatabaseSettings, store: ObjectStore
) -> None:
    predicted = ", ".join(f"predicted_{emotion}" for emotion in EMOTIONS)
    insert = f"INSERT INTO emotion_labels (img_name, s3_path, {predicted}) VALUES ('mine', 'mine.jpg', 1, 1, 1, 1)"
    transact(empty_labels, lambda cursor: cursor.execute(insert))
    sow(options(rows=4, seed=5))

    assert sow(options(rows=3, seed=6), reset=True).rows_deleted == 4
    names = [name for (name,) in rows(empty_labels, "SELECT img_name FROM emotion_labels")]
    assert sorted(names) == sorted(["mine", *populate(options(rows=3, seed=6)).names])
    assert not store.exists(store.uri(populate(options(rows=4, seed=5)).names[0]))


def test_missing_table_says_what_to_do(empty_labels: DatabaseSettings) -> None:
    bare = empty_labels.url.get_secret_value().removesuffix("/wakee") + "/postgres"
    settings = DatabaseSettings.model_validate({"NEON_DATABASE_URL": bare})
    with pytest.raises(ConfigurationError, match="wakee-db upgrade"):
        seed(options(), pictures=False, database=settings)


def test_another_seed_makes_other_rows() -> None:
    first, second = populate(options(seed=1)), populate(options(seed=2))
    assert not np.array_equal(first.truth, second.truth)
    assert not {visit.shot for visit in first.visits} & {visit.shot for visit in second.visits}


def test_levels_lie_on_the_slider_and_predictions_on_the_scale() -> None:
    population = populate(options(rows=500, usual=Error((0.8, -0.8, 0, 0), 1.0)))
    assert np.allclose(population.corrected * 10, np.round(population.corrected * 10))
    assert (population.predicted.min(), population.predicted.max()) == (0.0, 3.0)


def test_names_are_unique_and_inside_the_days() -> None:
    population = populate(options(rows=20_000, days=1))
    assert len(set(population.names)) == 20_000
    assert (population.times[0].day, population.times[-1] < UNTIL) == (3, True)


@pytest.mark.parametrize(
    ("text", "bias"),
    [
        pytest.param("0.1", (0.1, 0.1, 0.1, 0.1), id="one number"),
        pytest.param("confusion=0.5, frustration=-1", (0, 0.5, 0, -1), id="by name"),
        pytest.param("", (0, 0, 0, 0), id="nothing"),
    ],
)
def test_bias_is_read(text: str, bias: tuple[float, ...]) -> None:
    assert parse_bias(text) == bias


@pytest.mark.parametrize("text", ["joy=1", "confusion=x", "confusion", "nan", "a=b=c"])
def test_nonsense_is_no_bias(text: str) -> None:
    with pytest.raises(BadInputError):
        parse_bias(text)


def test_times_are_utc() -> None:
    assert parse_until("2025-02-04T12:30:00+02:00") == UNTIL
    with pytest.raises(BadInputError, match="ISO 8601"):
        parse_until("yesterday")


def used(**habits: float) -> Population:
    return populate(options(rows=3000, habits=Habits(**habits)))


def test_people_come_back_and_take_several_pictures_at_a_time() -> None:
    found = used(people=10, burst=4)
    sessions = Counter(visit.session for visit in found.visits)

    assert len({visit.user for visit in found.visits}) == 10
    assert np.mean(list(sessions.values())) == pytest.approx(4, rel=0.1)
    first = found.visits[0]
    together = [row for row, visit in enumerate(found.visits) if visit.session == first.session]
    assert {found.visits[row].user for row in together} == {first.user}
    assert found.times == sorted(found.times)


def test_a_session_shows_one_face_in_one_place_and_a_person_one_face_everywhere() -> None:
    one, soon, later, other = (
        np.asarray(draw((1, 1, 1, 1), Shot(who, session, number)), float)
        for who, session, number in (("a", "1", 1), ("a", "1", 2), ("a", "2", 3), ("b", "3", 4))
    )
    apart = [np.abs(one - another).mean() for another in (soon, later, other)]
    assert 0 < apart[0] < 8
    assert apart[0] < apart[1]
    assert person(Shot("a", "1", 1)).hair == person(Shot("a", "2", 3)).hair


def test_unequal_use() -> None:
    shares = sorted(Counter(visit.user for visit in used(people=20, unequal=1.0).visits).values())
    assert shares[-1] > 5 * shares[0]


def test_who_is_not_logged_in_has_no_user() -> None:
    nameless = [visit.user is None for visit in used(people=40, anonymous=0.25).visits]
    assert 0.1 < np.mean(nameless) < 0.45


def test_untouched_sliders_stay_where_the_prediction_put_them() -> None:
    found = used(untouched=0.3)
    assert np.mean(found.corrected == found.predicted) == pytest.approx(0.3, abs=0.03)


def test_people_have_a_bias_of_their_own() -> None:
    found = used(people=10, personal_bias=0.5)
    off = {user: [] for user in {visit.user for visit in found.visits}}
    for row, visit in enumerate(found.visits):
        off[visit.user].append(found.corrected[row] - found.truth[row])
    means = np.array([np.mean(rows, axis=0) for rows in off.values()])
    assert 0.2 < means.std() < 0.7


def test_without_people_rows_are_as_they_were() -> None:
    found = populate(options(habits=Habits(people=0)))
    assert [visit.user for visit in found.visits[:3]] == ["user-00", "user-01", "user-02"]
    assert [visit.shot for visit in found.visits[:2]] == [11 * 1_000_003, 11 * 1_000_003 + 1]


def test_the_version_in_production_is_as_old_as_its_rows(
    sow: Callable[..., Summary], empty_labels: DatabaseSettings
) -> None:
    now = "now() AT TIME ZONE 'utc'"
    statements = (
        f"INSERT INTO model_versions (version_name, created_at, deployed_at) VALUES ('v1', {now}, {now})",
        "INSERT INTO promotions (version_name, decided_by, reason) VALUES ('v1', 'gate', 'better')",
        f"INSERT INTO model_versions (version_name, created_at) VALUES ('candidate', {now} + interval '1 hour')",
    )
    transact(empty_labels, lambda cursor: [cursor.execute(statement) for statement in statements] and None)

    assert sow(options(), pictures=False, production_days=40).production == "v1"
    assert sow(options(), pictures=False, production_days=40).production == "v1"

    ((promoted_at,),) = rows(empty_labels, "SELECT promoted_at FROM promotions")
    assert promoted_at == datetime(2024, 12, 26, 10, 30)
    assert rows(empty_labels, "SELECT date_trunc('minute', created_at) FROM model_versions ORDER BY id") == [
        (datetime(2024, 12, 26, 10, 30),),
        (datetime(2024, 12, 26, 11, 30),),
    ]
    with pytest.raises(Exception, match="append-only"):
        transact(empty_labels, lambda cursor: cursor.execute("DELETE FROM promotions"))


def test_without_a_version_only_reports_are_back_dated(
    sow: Callable[..., Summary], empty_labels: DatabaseSettings
) -> None:
    report = "INSERT INTO drift_reports (report_date, drift_detected, drift_score, num_samples, updated_at)"
    transact(empty_labels, lambda cursor: cursor.execute(f"{report} VALUES ('2025-02-03', true, 0.3, 10, now())"))

    assert sow(options(), pictures=False, production_days=40).production is None
    assert rows(empty_labels, "SELECT updated_at FROM drift_reports") == [(datetime(2024, 12, 26, 10, 30),)]
