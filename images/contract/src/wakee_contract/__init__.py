"""Constants shared by all parts of Wakee, without dependencies: stages, DAGs, sandbox and tools import them."""
