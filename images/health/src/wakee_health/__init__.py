"""The health check: probes of all services that Wakee depends on, a test suite against the live services, a report."""
