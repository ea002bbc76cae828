"""Tables and column groups of the database. Migrations do not import this: they keep the names of their own time."""

from typing import Final

from wakee_contract.emotions import EMOTIONS

EMOTION_LABELS: Final = "emotion_labels"
"""One row per picture: what the model predicted, and what the person corrected it to."""
DRIFT_REPORTS: Final = "drift_reports"
MODEL_VERSIONS: Final = "model_versions"
HEALTH_REPORTS: Final = "health_reports"
PROMOTIONS: Final = "promotions"
"""One row per change of production; rows are only ever added."""

PREDICTED: Final = tuple(f"predicted_{emotion}" for emotion in EMOTIONS)
LABELS: Final = tuple(f"user_{emotion}" for emotion in EMOTIONS)
"""Columns of `emotion_labels`, in the order of the emotions."""

PREDICTED_BY: Final = "model_version"
"""Optional column of `emotion_labels`: the name of the model version that made the prediction."""

PERSON: Final = (
    "hashtextextended(COALESCE('user:' || NULLIF(btrim(user_id), ''), 'session:' || NULLIF(btrim(session_id), ''),"
    " 'picture:' || img_name), 0)"
)
"""Whose picture a row of `emotion_labels` is, as a number that does not tell the name.

Who is not logged in is somebody else in each session; without a session, on each picture.
"""

KNOWN_BY: Final = (
    "CASE WHEN NULLIF(btrim(user_id), '') IS NOT NULL THEN 'user'"
    " WHEN NULLIF(btrim(session_id), '') IS NOT NULL THEN 'session' ELSE 'picture' END"
)
"""What `PERSON` is made of in a row of `emotion_labels`."""

SESSION: Final = "hashtextextended(NULLIF(btrim(session_id), ''), 0)"
"""The session of a row of `emotion_labels` as a number; NULL without one."""
