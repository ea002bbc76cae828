"""Convert the machine's pip settings for use in an image build."""

import functools
import os
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from wakee_tools.images.engine import builder
from wakee_tools.paths import CACHE
from wakee_tools.shell import output

PIP = CACHE / "uv-venv" / "bin" / "pip"  # created by tools/bootstrap.py, because a minimal Debian has no pip
# The pip settings that locate packages. Others (constraints, output, ...) do not matter for installing a lock.
WHERE_PACKAGES_ARE = {
    "index-url",
    "extra-index-url",
    "find-links",
    "trusted-host",
    "no-index",
    "default-timeout",
    "retries",
}


def write_pip_settings(path: Path, find_links: list[str]) -> list[Path]:
    """Write the settings that locate packages, for a build.

    A buildah build gets this machine's folders mounted. A Docker build cannot mount them, so they are served over
    HTTP on 127.0.0.1 as long as this process runs. Build with `--network host`.

    Args:
        path: The file to write.
        find_links: Additional URLs of pages with links to wheels.

    Returns:
        The local folders that the settings name.
    """
    lines, folders = ["[global]"], list[Path]()
    settings = dict(pip_settings())
    if find_links:
        settings["find-links"] = list(dict.fromkeys([*settings.get("find-links", []), *find_links]))
    for key, words in settings.items():
        local = {word: _folder(word) for word in words}
        folders += [folder for folder in local.values() if folder]
        lines.append(f"{key} = {' '.join(_address(word, folder) for word, folder in local.items())}")
    if ca_bundle():
        lines.append("cert = /etc/ssl/build-ca.crt")
    path.write_text("\n".join(lines) + "\n")
    return list(dict.fromkeys(folders))


@functools.cache
def pip_settings() -> dict[str, list[str]]:
    """Read each setting that locates packages, as a list of words, from pip's files and environment."""
    settings: dict[str, list[str]] = {}
    for line in output(str(PIP), "config", "list").splitlines():
        name, _, value = line.partition("=")
        key, words = name.rpartition(".")[2], value.strip("'\"").replace("\\n", " ").split()
        if key in WHERE_PACKAGES_ARE:
            settings[key] = list(dict.fromkeys([*settings.get(key, []), *words]))
    return settings


def ca_bundle() -> str:
    """The CA bundle that is configured on this machine, if any."""
    named = (os.environ.get(name, "") for name in ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"))
    return next((path for path in named if path and Path(path).is_file()), "")


def _folder(word: str) -> Path | None:
    if word.startswith("file://"):
        folder = Path(word.removeprefix("file://")).parent  # an index page links to files beside it
    elif word.startswith("/"):
        folder = Path(word)
    else:
        return None
    return folder if folder.is_dir() else None


def _address(word: str, folder: Path | None) -> str:
    if folder is None or builder() != "docker":
        return word
    return _served(folder) + ("" if word.startswith("/") else Path(word.removeprefix("file://")).name + "/")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Suppress access logs, since a build has its own output."""


@functools.cache
def _served(folder: Path) -> str:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/"
