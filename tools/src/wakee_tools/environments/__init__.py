"""An environment (production, staging, ...) from one settings file: `wakee environment`."""
