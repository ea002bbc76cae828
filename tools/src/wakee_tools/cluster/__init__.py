"""A local Kubernetes cluster: kind, or built from Debian's packages."""
