"""The command `wakee`: cluster, images, deployment, and what operators and developers do with them."""
