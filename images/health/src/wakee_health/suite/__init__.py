"""The pytest suite that ships in the image and runs against the live services: `wakee-health pytest`."""
