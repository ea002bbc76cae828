"""Local substitutes for the external services, for laptops, tests and CI. Not for production."""
