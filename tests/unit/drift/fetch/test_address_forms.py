"""Every form in which people write a database's address reaches it, by both drivers."""

import pytest
from wakee_common.database import reading
from wakee_common.settings import DatabaseSettings
from wakee_drift.fetch.copying import copier

FORMS = [
    "postgresql://{user}:{encoded}@{host}:{port}/{name}",
    "postgres://{user}:{encoded}@{host}:{port}/{name}",
    "postgresql://{user}:{encoded}@localhost:{port}/{name}",
    "postgresql://{user}:{encoded}@{host}:{port}/{name}?sslmode=prefer",
    "postgresql://{user}:{encoded}@{host}:{port}/{name}?sslmode=disable&channel_binding=prefer",
    "postgresql://{user}:{encoded}@{host}:{port}/{name}?application_name=somebody%20else",
    "postgresql://{user}:{encoded}@{host}:{port}/{name}?connect_timeout=3",
    "postgresql://{user}:{encoded}@{host}:{port}/{name}?options=-c%20work_mem%3D8MB",
    "postgresql://{user}:{encoded}@{host}:{port}/{name}?target_session_attrs=read-write",
    "postgresql://{user}:{encoded}@{host}:1,{host}:{port}/{name}",
    "postgresql://{host}:{port}/{name}?user={user}&password={encoded}",
    "postgresql:///{name}?host={host}&port={port}&user={user}&password={encoded}",
    "postgresql://{user}:{encoded}@/{name}?host={host}&port={port}",
    "postgresql://{user}@{host}:{port}/{name}?password={encoded}",
    "postgresql://{user}:{encoded}@{host}:{port}/{name}?keepalives=0",
    "postgresql://{user}:{encoded}@{host}:{port}/{name}?gssencmode=disable",
    "postgresql://{user}:{encoded}@{host}:{port}/{name}?client_encoding=LATIN1",
    "postgresql://{user}:{encoded}@{host},{host}:{port},{port}/{name}",
]


@pytest.mark.parametrize("form", FORMS)
def test_an_address(database, postgres_server, form):
    name = database.url.get_secret_value().rpartition("/")[2]
    url = form.format(user="postgres", encoded="p%40ss-w0rd", host="127.0.0.1", port=postgres_server.port, name=name)
    settings = DatabaseSettings(url=url, wake_up_seconds=5)

    with reading(settings) as connection, copier(settings, connection) as copying:
        copying.execute("SELECT 1")
        assert connection.info.dbname == name
