"""Container images: how they are built, and how they reach the cluster. Needs nothing but the standard library."""
