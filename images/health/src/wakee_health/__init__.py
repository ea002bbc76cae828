"""The health check: probes of everything that Wakee stands on, a test suite against the live services, a report."""
