"""What every Wakee stage shares: settings, database, R2, the stage runner and the schema migrations."""
