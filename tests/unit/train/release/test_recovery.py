"""A change of production that came to the Hub only is finished by the next run, or refused; it is never left so."""

import pytest

from .conftest import Release


def everywhere(version: str) -> tuple[str, str, str]:
    return version, version, version


@pytest.fixture
def on_the_hub(release: Release) -> str:
    """The version that was promoted on the Hub; its run failed for good after it."""
    return str(release.upload(**release.judged())["version"])


def test_the_next_run_finishes_a_promotion_that_came_to_the_hub_only(release, on_the_hub):
    assert release.production() == (on_the_hub, None, None)

    checked = release.check("second")

    assert checked["finished"] == f"completed the promotion of {on_the_hub}, which was on the Hub only"
    assert release.production() == everywhere(on_the_hub)
    [(run_id, commit, lineage)] = release.environment.execute("SELECT run_id, hf_commit, lineage FROM model_versions")
    assert (run_id, commit) == ("first", release.hub.model_info(release.repository).sha)
    assert lineage["run_id"] == "first"
    assert lineage["image"] == "wakee/train:test"


def test_nothing_is_finished_twice(release, on_the_hub):
    release.check("second")

    assert release.check("third")["finished"] is None


def test_the_failed_run_can_still_be_cleared(release, on_the_hub):
    release.check("second")
    bucket = release.environment.store.bucket
    published = {"publication_uri": f"r2://{bucket}/runs/model_retrain/first/upload_to_hub/publication.json"}

    release.record(release.log(published))

    assert release.production() == everywhere(on_the_hub)
    assert len(release.mlflow.search_model_versions(f"name = '{release.model}'")) == 1


def test_a_promotion_that_lacks_only_its_row_is_finished(release):
    published = release.upload(**release.judged())
    release.log(published)

    release.check("second")

    assert release.production() == everywhere(published["version"])


def test_an_upload_that_ended_before_its_record_is_finished(release, on_the_hub):
    store = release.environment.store
    store.delete(store.uri("runs/model_retrain/first/upload_to_hub/publication.json"))
    release.hub.delete_tag(release.repository, tag=on_the_hub)

    release.check("second")

    assert release.production() == everywhere(on_the_hub)
    assert [tag.name for tag in release.hub.list_repo_refs(release.repository).tags] == [on_the_hub]


def test_a_promotion_without_its_records_is_refused(release, on_the_hub):
    store = release.environment.store
    for key in list(store.list_keys("runs/model_retrain/first/")):
        store.delete(store.uri(key))

    refused = release.check("second", exit_code=2)

    assert f"holds {on_the_hub} on main, the registry's alias champion points to nothing" in refused["cause"]
    assert "no such object" in refused["cause"]
    assert "put production back with model_rollback" in refused["cause"]


def test_a_rollback_that_came_to_the_hub_only_is_finished(release):
    first = release.publish("first")
    release.environment.execute("UPDATE model_versions SET deployed_at = '2026-01-01'")
    second = second_version(release)
    release.hub.create_commit(
        release.repository, restored(release, first), commit_message=f"{first}: rollback 01234567"
    )
    assert release.production() == (first, second, second)

    release.check("third")

    assert release.production() == everywhere(first)


def second_version(release: Release) -> str:
    """Another version in production, by hand."""
    version = "v-second"
    release.commit(f"{version}: promoted", **{"config.json": b'{"version": "v-second"}'})
    made = release.mlflow.create_model_version(release.model, "s3://bucket/model", tags={"wakee.version": version})
    release.mlflow.set_registered_model_alias(release.model, "champion", made.version)
    release.environment.execute("UPDATE model_versions SET is_production = false")
    release.add_row(version, "a commit")
    return version


def restored(release: Release, revision: str) -> list[object]:
    from huggingface_hub import CommitOperationAdd

    return [
        CommitOperationAdd(name, release.hub.hf_hub_download(release.repository, name, revision=revision))
        for name in ("config.json", "model.onnx")
    ]


def test_a_rollback_to_a_version_from_before_us_that_came_to_the_hub_only_is_finished(release):
    release.commit()
    release.add_row("old")
    version = promoted_over(release)
    release.hub.delete_file("config.json", release.repository, commit_message="old: rollback 01234567")

    release.check("third")

    assert release.production() == ("old", None, "old")
    assert release.check("fourth")["production"] == "old"
    assert version != "old"


def promoted_over(release: Release) -> str:
    """A version of ours in production, by hand, over the one from before."""
    version = "v1"
    release.environment.execute("UPDATE model_versions SET is_production = false, deployed_at = now()")
    release.commit(f"{version}: promoted", **{"config.json": b'{"version": "v1"}'})
    release.add_champion(version)
    release.add_row(version, "a commit")
    return version


def test_a_retry_of_the_upload_goes_on_with_its_own_version(release):
    flags = release.judged()
    first, again = release.upload(**flags), release.upload(**flags)

    assert (first["new_commit"], again["new_commit"]) == (True, False)
    assert release.production() == (first["version"], None, None), "the next stages of the run record it"
