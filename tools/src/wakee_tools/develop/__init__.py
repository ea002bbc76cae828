"""What developers and CI run: suites, linters, locks, audits, benchmarks, references."""
