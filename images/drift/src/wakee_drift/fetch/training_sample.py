"""Check the training data of the version in production, and pass it to the next stages."""

import logging

from wakee_common.errors import BadInputError, ConfigurationError
from wakee_common.storage import ObjectStore
from wakee_common.training_sample import read_training_sample
from wakee_common.uris import R2Uri

from wakee_drift.records import ProductionSample

logger = logging.getLogger(__name__)

FILE_NAME = "training_sample.json"


def hand_on_training_sample(store: ObjectStore, folder: R2Uri, version: str | None, address: str) -> R2Uri:
    """Write the sample of the version in production, or the reason why there is none, to the run's folder.

    Args:
        store: The bucket.
        folder: Folder of the run.
        version: The version in production, if any.
        address: Address of its sample; empty if it names none.
    """
    found = production_sample(store, version, address)
    if found.reason:
        logger.warning("Distributions are compared with the reference window only: %s", found.reason)
    uri = folder / FILE_NAME
    store.put_bytes(uri, found.model_dump_json().encode(), "application/json")
    return uri


def production_sample(store: ObjectStore, version: str | None, address: str) -> ProductionSample:
    """Return the version in production and its sample; if one is missing, the reason.

    Raises:
        UnavailableError: the bucket is unavailable; a retry may help.
    """
    if not version:
        return ProductionSample(reason="no version is in production")
    if not address:
        return ProductionSample(version=version, reason=f"{version} has no sample of its training data")
    try:
        uri = R2Uri.parse(address)
        return ProductionSample(version=version, sample=read_training_sample(store.get_bytes(uri), uri))
    except (BadInputError, ConfigurationError) as error:
        return ProductionSample(version=version, reason=str(error))
