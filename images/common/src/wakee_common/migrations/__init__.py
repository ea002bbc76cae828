"""Schema of the database, as Alembic migrations that adopt a database which already holds rows."""
