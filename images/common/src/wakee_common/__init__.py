"""Code shared by all Wakee stages: settings, database, R2, the stage runner and the schema migrations."""
