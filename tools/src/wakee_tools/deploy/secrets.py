"""Airflow's Secrets on the local cluster: those in docs/production.md, and the database's.

They are created once per cluster, then kept.
"""

import base64
import json
import os
import secrets

from wakee_tools.airflow.sandbox import environment
from wakee_tools.paths import REPO
from wakee_tools.shell import output, succeeds

KUBECTL = ("kubectl", "-n", "airflow")
DATABASE = "postgresql+psycopg2://airflow:{password}@airflow-database:5432/airflow"
SMTP = {
    "conn_type": "smtp",
    "host": "mail.wakee",
    "port": 1025,
    "extra": {"from_email": "airflow@wakee.example", "disable_ssl": True, "disable_tls": True},
}


def ensure_airflow_secrets() -> None:
    """Create the Secrets that do not exist yet."""
    output("kubectl", "apply", "-f", str(REPO / "k8s/base/namespaces.yaml"))
    password = _database_password()
    wanted = {
        "airflow-database-secrets": {
            "POSTGRES_USER": "airflow",
            "POSTGRES_DB": "airflow",
            "POSTGRES_PASSWORD": password,
        },
        "airflow-metadata": {"connection": DATABASE.format(password=password)},
        "airflow-fernet-key": {"fernet-key": base64.urlsafe_b64encode(os.urandom(32)).decode()},
        "airflow-api-secret-key": {"api-secret-key": _random()},
        "airflow-jwt-secret": {"jwt-secret": _random()},
        "airflow-users": {"passwords.json": '{"airflow": "airflow"}'},
        "airflow-connections": connections(environment("secrets.env")),
    }
    for name, values in wanted.items():
        _ensure(name, values)


def connections(credentials: dict[str, str]) -> dict[str, str]:
    """Airflow's connections to the sandbox's bucket and mail server, as environment variables.

    Args:
        credentials: The kind overlay's secrets.env.
    """
    logs = {
        "conn_type": "aws",
        "login": credentials["R2_ACCESS_KEY_ID"],
        "password": credentials["R2_SECRET_ACCESS_KEY"],
        "extra": {"endpoint_url": "http://r2.wakee:8333", "region_name": "auto"},
    }
    return {"AIRFLOW_CONN_R2_LOGS": json.dumps(logs), "AIRFLOW_CONN_SMTP_DEFAULT": json.dumps(SMTP)}


def _database_password() -> str:
    """The existing password, with which the database was created, or a new one."""
    template = "go-template={{.data.POSTGRES_PASSWORD | base64decode}}"
    return output(*KUBECTL, "get", "secret", "airflow-database-secrets", "-o", template, quiet=True) or _random()


def _random() -> str:
    return secrets.token_urlsafe(64)


def _ensure(name: str, values: dict[str, str]) -> None:
    if not succeeds(*KUBECTL, "get", "secret", name):
        literals = [f"--from-literal={key}={value}" for key, value in values.items()]
        output(*KUBECTL, "create", "secret", "generic", name, *literals)
