"""The command `wakee`: cluster, images and deployment, for operators and developers."""
