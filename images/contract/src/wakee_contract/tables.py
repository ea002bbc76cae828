"""Tables and column groups of the database. Migrations keep the names of their own version and do not import them."""

from typing import Final

from wakee_contract.emotions import EMOTIONS

EMOTION_LABELS: Final = "emotion_labels"
"""One row per picture: the model's prediction, and the person's correction of it."""
DRIFT_REPORTS: Final = "drift_reports"
MODEL_VERSIONS: Final = "model_versions"
HEALTH_REPORTS: Final = "health_reports"

PREDICTED: Final = tuple(f"predicted_{emotion}" for emotion in EMOTIONS)
LABELS: Final = tuple(f"user_{emotion}" for emotion in EMOTIONS)
"""Columns of `emotion_labels`, in the order of the emotions."""

PREDICTED_BY: Final = "model_version"
"""Optional column of `emotion_labels`: the name of the model version that made the prediction."""

PERSON: Final = (
    "hashtextextended(COALESCE('user:' || NULLIF(btrim(user_id), ''), 'session:' || NULLIF(btrim(session_id), ''),"
    " 'picture:' || img_name), 0)"
)
"""The person of a row of `emotion_labels`, as a hash that does not reveal the name.

Without a login, each session counts as a person; without a session, each picture.
"""

KNOWN_BY: Final = (
    "CASE WHEN NULLIF(btrim(user_id), '') IS NOT NULL THEN 'user'"
    " WHEN NULLIF(btrim(session_id), '') IS NOT NULL THEN 'session' ELSE 'picture' END"
)
"""What identifies the person of a row of `emotion_labels`: user, session or picture."""

SESSION: Final = "hashtextextended(NULLIF(btrim(session_id), ''), 0)"
"""The session of a row of `emotion_labels` as a hash; NULL without a session."""
