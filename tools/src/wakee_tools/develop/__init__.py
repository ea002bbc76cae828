"""Commands for developers and CI: test suites, linters, locks, audits, benchmarks, references."""
