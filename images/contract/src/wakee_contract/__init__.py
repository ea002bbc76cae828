"""What all parts of Wakee agree on. Constants only, without dependencies: stages, DAGs, sandbox and tools import it."""
