"""Build container images, and load them into the cluster."""
