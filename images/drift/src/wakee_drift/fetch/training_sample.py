"""Find the training data of the version in production, check it, and pass it to the next stages."""

import logging

from wakee_common.database import reading
from wakee_common.errors import BadInputError, ConfigurationError
from wakee_common.settings import DatabaseSettings
from wakee_common.storage import ObjectStore
from wakee_common.training_sample import read_training_sample
from wakee_common.uris import R2Uri

from wakee_drift.records import ProductionSample

logger = logging.getLogger(__name__)

FILE_NAME = "training_sample.json"
QUERY = "SELECT version_name, lineage->>'reference' FROM model_versions WHERE is_production"


def hand_on_training_sample(store: ObjectStore, database: DatabaseSettings, folder: R2Uri) -> R2Uri:
    """Write the sample of the version now in production, or the reason why there is none, to the run's folder."""
    found = production_sample(store, database)
    if found.reason:
        logger.warning("Distributions are compared with the reference window only: %s", found.reason)
    uri = folder / FILE_NAME
    store.put_bytes(uri, found.model_dump_json().encode(), "application/json")
    return uri


def production_sample(store: ObjectStore, database: DatabaseSettings) -> ProductionSample:
    """Return the version in production and its sample; if one is missing, the reason.

    Raises:
        UnavailableError: the database or the bucket is unavailable; a retry may help.
    """
    version = ""
    try:
        version, address = _production(database)
        if not version:
            return ProductionSample(reason="no version is in production")
        if not address:
            return ProductionSample(version=version, reason=f"{version} names no sample of its training data")
        uri = R2Uri.parse(address)
        return ProductionSample(version=version, sample=read_training_sample(store.get_bytes(uri), uri))
    except (BadInputError, ConfigurationError) as error:
        return ProductionSample(version=version, reason=str(error))


def _production(database: DatabaseSettings) -> tuple[str, str]:
    with reading(database) as connection, connection.cursor() as cursor:
        cursor.execute(QUERY)
        version, address = cursor.fetchone() or ("", "")
    return str(version or ""), str(address or "")
