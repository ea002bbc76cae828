"""Local stand-ins for the outside world, for laptops, tests and CI. Never for production."""
