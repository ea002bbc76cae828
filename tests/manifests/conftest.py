"""Rendered kustomizations and environments, once per session."""

import functools

import pytest

from support import rendering


@pytest.fixture(scope="session")
def rendered():
    """A function: the objects of a kustomization under k8s/, or of an environment's settings file."""
    return functools.cache(rendering.rendered)


@pytest.fixture(scope="session")
def objects(rendered):
    """The objects of the kind overlay, with Airflow as the plain manifests bring it."""
    return rendered("overlays/debian")
