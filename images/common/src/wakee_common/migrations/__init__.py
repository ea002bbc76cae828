"""Database schema as Alembic migrations, which can adopt a database that already has rows."""
