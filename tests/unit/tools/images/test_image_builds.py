"""Image builds against a docker, a buildah and a pip that write down how they were called."""

import platform
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from wakee_tools import locks
from wakee_tools.cluster import choice, registry
from wakee_tools.images import base, build, engine, pip_settings, torch_source
from wakee_tools.images.torch_source import CPU_WHEELS, TorchSource

DOCKER = """#!/bin/sh
echo "docker $*" >>{calls}
case "$*" in
    info) exit {engine} ;;
    "buildx version") exit {buildx} ;;
    "context show") echo {context} ;;
    "images -q "*) grep -qx "$3" {held} && echo id; exit 0 ;;
    "import "*) for last; do :; done; echo "$last" >>{held} ;;
    "pull "*) [ {registry} = 0 ] || echo "no such host" >&2; exit {registry} ;;
esac
"""
OTHER = '#!/bin/sh\necho "{name} $*" >>{calls}\nfor last; do :; done\n{action}\n'
PIP = "#!/bin/sh\ncat <<'END'\n{settings}\nEND\n"
CACHED = [
    choice.docker_answers,
    engine.has_buildx,
    base.base_image,
    torch_source.torch_source,
    pip_settings.pip_settings,
]


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A function: a machine with these programs; returns another one, which reads what was called."""
    calls, held = tmp_path / "calls", tmp_path / "held"

    def make(engine_answers=True, buildx=False, registry_answers=False, images_held=(), pip="", context=""):
        programs = tmp_path / "bin"
        programs.mkdir()
        held.write_text("\n".join(images_held))
        answers = {"engine": not engine_answers, "buildx": not buildx, "registry": not registry_answers}
        write(
            programs / "docker",
            DOCKER.format(calls=calls, held=held, context=context, **{k: int(v) for k, v in answers.items()}),
        )
        write(programs / "mmdebstrap", OTHER.format(name="mmdebstrap", calls=calls, action='touch "$last"'))
        write(programs / "buildah", OTHER.format(name="buildah", calls=calls, action=""))
        write(programs / "pip", PIP.format(settings=pip))
        monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
        for name in ("BASE_IMAGE", "TORCH_VARIANT", "WAKEE_CLUSTER"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(base, "CACHE", tmp_path)
        monkeypatch.setattr(locks, "CACHE", tmp_path)
        monkeypatch.setattr(pip_settings, "PIP", programs / "pip")
        return lambda: calls.read_text().splitlines() if calls.exists() else []

    for cached in CACHED:
        cached.cache_clear()
    yield make
    for cached in CACHED:
        cached.cache_clear()


def write(path, text):
    path.write_text(text)
    path.chmod(0o755)


def test_the_public_base_is_taken_where_a_registry_answers(machine):
    calls = machine(registry_answers=True)
    assert base.base_image() == ""
    assert [call for call in calls() if call.startswith("docker pull")] == [f"docker pull -q {base.public_base()}"]


def test_without_a_registry_the_base_is_made_of_debians_packages(machine, capfd):
    calls = machine(registry_answers=False)
    assert base.base_image() == base.LOCAL_BASE
    assert "no image registry is available (no such host)" in capfd.readouterr().err
    assert any(call.startswith("docker import") and call.endswith(base.LOCAL_BASE) for call in calls())


def test_images_built_side_by_side_make_the_base_once(machine):
    calls = machine(registry_answers=False)
    with ThreadPoolExecutor(3) as pool:
        bases = [each.result() for each in [pool.submit(base.base_image) for _ in range(3)]]
    assert bases == [base.LOCAL_BASE] * 3
    assert len([call for call in calls() if call.startswith("mmdebstrap")]) == 1


def test_a_base_that_was_made_is_used_again(machine):
    calls = machine(images_held=[base.LOCAL_BASE])
    assert base.base_image() == base.LOCAL_BASE
    assert not [call for call in calls() if call.startswith(("docker pull", "mmdebstrap"))]


def test_a_named_base_needs_nothing(machine, monkeypatch):
    calls = machine()
    monkeypatch.setenv("BASE_IMAGE", "registry.example.org/python:3.11")
    assert base.base_image() == "registry.example.org/python:3.11"
    assert calls() == []


@pytest.mark.parametrize(
    ("has", "expected"),
    [
        pytest.param({"buildx": False}, "docker build", id="engine-alone"),
        pytest.param(
            {"buildx": True, "context": "colima"},
            "docker buildx build --builder colima --provenance=false --load",
            id="buildx-own-builder",
        ),
        pytest.param({"buildx": True}, "docker buildx build --builder default --provenance=false --load", id="buildx"),
    ],
)
def test_how_docker_builds(machine, has, expected):
    calls = machine(**has)
    build.build("drift", "localhost/wakee/drift:test")
    (built,) = [call for call in calls() if " -f images/drift/Dockerfile " in call]
    assert built.startswith(f"{expected} -f")


def test_folders_on_disk_are_served_to_a_docker_build(machine, tmp_path):
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "torch.whl").write_text("wheel")
    (tmp_path / "index" / "simple").mkdir(parents=True)
    links, index = f"global.find-links='{tmp_path}/wheels'", f"global.extra-index-url='file://{tmp_path}/index/simple'"
    machine(pip=f"{links}\n{index}\nglobal.no-cache-dir='true'")

    folders = pip_settings.write_pip_settings(tmp_path / "pip.conf", ["https://example.org/page/"])

    settings = dict(line.split(" = ") for line in (tmp_path / "pip.conf").read_text().splitlines()[1:])
    address, page = settings["find-links"].split()
    assert httpx.get(f"{address}torch.whl").content == b"wheel"
    assert page == "https://example.org/page/"
    assert httpx.get(settings["extra-index-url"]).status_code == 200
    assert settings.keys() <= {"find-links", "extra-index-url", "cert"}
    assert folders == [tmp_path / "wheels", tmp_path / "index"]


def test_folders_on_disk_are_mounted_into_a_buildah_build(machine, tmp_path):
    (tmp_path / "wheels").mkdir()
    calls = machine(engine_answers=False, pip=f"global.find-links='{tmp_path}/wheels'", images_held=[])
    build.build("drift", "localhost/wakee/drift:test")
    assert f"-v {tmp_path}/wheels:{tmp_path}/wheels:ro" in calls()[-1]


@pytest.fixture
def linux_x86_64(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(sys, "platform", "linux")


@pytest.mark.usefixtures("linux_x86_64")
def test_a_cpu_wheel_at_hand_is_taken(machine, tmp_path):
    (tmp_path / "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl").touch()
    machine(pip=f":env:.find-links='/nonexistent {tmp_path}'")
    assert torch_source.torch_source() == TorchSource("cpu", [str(tmp_path)])


@pytest.mark.usefixtures("linux_x86_64")
@pytest.mark.parametrize(
    ("page", "expected"),
    [
        pytest.param("torch-2.13.0%2Bcpu-cp311-cp311-linux.whl", TorchSource("cpu", [CPU_WHEELS]), id="there"),
        pytest.param("torch-2.12.0%2Bcpu-cp311-cp311-linux.whl", TorchSource("cuda", []), id="another-version"),
    ],
)
def test_else_pytorchs_own_page_is_asked(machine, monkeypatch, tmp_path, page, expected):
    machine()
    (tmp_path / "page.html").write_text(page)
    monkeypatch.setattr(torch_source, "CPU_WHEELS", (tmp_path / "page.html").as_uri())
    found = torch_source.torch_source()
    assert found.variant == expected.variant
    assert len(found.find_links) == len(expected.find_links)


@pytest.mark.usefixtures("linux_x86_64")
def test_else_pypis_own_build_is_taken_and_that_is_said(machine, monkeypatch, tmp_path, capfd):
    machine()
    monkeypatch.setattr(torch_source, "CPU_WHEELS", (tmp_path / "nothing").as_uri())
    assert torch_source.torch_source() == TorchSource("cuda", [])
    assert "using PyPI's torch (CUDA)" in capfd.readouterr().err


@pytest.mark.parametrize(("system", "processor"), [("linux", "aarch64"), ("darwin", "arm64")])
def test_other_platforms_take_pypis_build(machine, monkeypatch, system, processor):
    machine()
    monkeypatch.setattr(platform, "machine", lambda: processor)
    monkeypatch.setattr(sys, "platform", system)
    assert torch_source.torch_source() == TorchSource("cuda", [])


@pytest.mark.parametrize("variable", ["kind", "debian"])
def test_the_cluster_can_be_chosen(machine, monkeypatch, variable):
    machine()
    monkeypatch.setenv("WAKEE_CLUSTER", variable)
    assert choice.cluster_kind() == variable


def test_the_image_has_one_name_on_every_cluster(machine):
    calls = machine()
    registry.push("localhost/wakee/drift:abc")
    name = f"localhost:{registry.PORT}/wakee/drift:abc"
    assert calls() == [f"docker tag localhost/wakee/drift:abc {name}", f"docker push -q {name}", f"docker rmi {name}"]


def test_a_tag_changes_with_what_goes_into_the_image(machine, tmp_path, monkeypatch):
    machine(registry_answers=True)
    for folder in ("images/drift", "images/common", "images/sbom"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setattr(build, "REPO", tmp_path)
    (tmp_path / "images/common/code.py").write_text("1")
    first = build.tag("drift")
    (tmp_path / "images/common/code.py").write_text("2")
    assert build.tag("drift") != first
    (tmp_path / "images/common/code.py").write_text("1")
    assert build.tag("drift") == first


@pytest.mark.parametrize("folder", ["__pycache__", ".ruff_cache", "tests"])
def test_a_tag_does_not_change_with_what_tools_leave_there(machine, tmp_path, monkeypatch, folder):
    machine(registry_answers=True)
    (tmp_path / "images/drift" / folder).mkdir(parents=True)
    monkeypatch.setattr(build, "REPO", tmp_path)
    first = build.tag("drift")
    (tmp_path / "images/drift" / folder / "file").touch()
    assert build.tag("drift") == first


def test_the_bases_are_built_before_the_first_image(machine):
    calls = machine()
    image = build.build_only("drift")
    built = [call for call in calls() if " -f images/" in call]
    assert [call.partition(" -t ")[2].split()[0] for call in built] == [*map(build.tag, build.BASES), image]
    assert f"BUILDER={build.tag('builder')}" in built[2]
    assert image == build.tag("drift")


def test_every_image_has_a_dockerfile():
    assert all((Path(build.REPO) / "images" / name / "Dockerfile").exists() for name in build.INGREDIENTS)
