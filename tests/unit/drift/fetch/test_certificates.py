"""`sslrootcert=system` means the system's store to both drivers, against a server whose CA is a company's own."""

import subprocess

import psycopg2
import pytest
from wakee_common import database
from wakee_common.database import connect, reading
from wakee_common.errors import ConfigurationError
from wakee_common.settings import DatabaseSettings
from wakee_drift.fetch.copying import copier

from support.waiting import wait_for

SUBJECT = ("-subj", "/CN=Wakee Test CA")


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A private certificate authority, and a certificate of it for 127.0.0.1."""
    folder = tmp_path_factory.mktemp("tls")
    key, request = folder / "server.key", folder / "server.csr"
    new = ("req", "-newkey", "rsa:2048", "-nodes")
    openssl(*new, "-x509", "-days", 1, *SUBJECT, "-keyout", folder / "ca.key", "-out", folder / "ca.pem")
    openssl(*new, "-subj", "/CN=127.0.0.1", "-keyout", key, "-out", request)
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1")
    signed = ("-CA", folder / "ca.pem", "-CAkey", folder / "ca.key", "-CAcreateserial", "-extfile", folder / "names")
    openssl("x509", "-req", "-in", request, "-days", 1, *signed, "-out", folder / "server.pem")
    return folder


@pytest.fixture(scope="module")
def tls_server(authority, make_postgres_server):
    server = make_postgres_server()
    for name in ("server.key", "server.pem"):
        target = server.folder / "data" / name
        target.write_bytes((authority / name).read_bytes())
        subprocess.run(["chown", "--reference", server.folder / "data", target], check=True)
        target.chmod(0o600)
    server.start("-c ssl=on -c ssl_cert_file=server.pem -c ssl_key_file=server.key")
    wait_for(server.answers, 60, "PostgreSQL", every=0.05)
    return server


@pytest.fixture
def verified(tls_server, monkeypatch):
    """A function: settings that insist on a certificate that the given store, as the system's, vouches for."""

    def settings(store):
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        monkeypatch.delenv("SSL_CERT_DIR", raising=False)
        monkeypatch.setattr(database, "SYSTEM_CERTIFICATES", store)
        return DatabaseSettings(url=f"{tls_server.url()}?sslmode=verify-full&sslrootcert=system", wake_up_seconds=5)

    return settings


def test_both_drivers_find_the_systems_store(authority, verified):
    settings = verified(authority / "ca.pem")

    with reading(settings) as connection, copier(settings, connection) as copying:
        copying.execute("SELECT 1")
        with connection.cursor() as cursor:
            cursor.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            assert cursor.fetchone() == (True,)


def test_a_certificate_that_nobody_vouches_for_is_refused_at_once(tmp_path, verified):
    with pytest.raises(ConfigurationError, match="certificate verify failed"):
        connect(verified(tmp_path / "none"))


def test_without_our_help_the_driver_knows_no_authority(tls_server, authority, verified, monkeypatch):
    """Else the first test would show nothing."""
    settings = verified(authority / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
    with pytest.raises(psycopg2.OperationalError, match="certificate verify failed"):
        psycopg2.connect(settings.url.get_secret_value())


def test_channel_binding(tls_server):
    settings = DatabaseSettings(url=f"{tls_server.url()}?sslmode=require&channel_binding=require", wake_up_seconds=5)
    with reading(settings) as connection, copier(settings, connection) as copying:
        copying.execute("SELECT 1")
