"""Container images: how they are built, and how they reach the cluster."""
