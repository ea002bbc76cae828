"""A local Kubernetes: kind, or built from Debian's packages."""
