"""Data frames of predictions, labels and person numbers: bounded samples of windows and of training data."""

from pathlib import Path

import numpy as np
import pandas as pd
from wakee_common.training_sample import HELD_OUT, TrainingSample
from wakee_contract.emotions import EMOTIONS
from wakee_contract.tables import LABELS, PREDICTED

from wakee_drift.tables import PAIRS_SCHEMA, integers, matrix, spread_sample

COLUMNS = (*PREDICTED, *LABELS)
PERSON = "person"
SAMPLE_ROWS = 5_000
STEPS = 2.0**20
"""Values are rounded to steps of 1 / STEPS (about a millionth), so that values that differ only by rounding are equal.

The bins of a histogram of 0.3 and 0.1 + 0.2 would be too narrow for floating-point numbers. Steps that are powers of
two make sums and differences exact, so that equal errors stay equal.
"""


def sample_frame(path: Path, rows: int = SAMPLE_ROWS) -> pd.DataFrame:
    """Return predictions and labels (float64) and `person` (int64) of at most `rows` pairs. Deterministic."""
    sample = spread_sample(path, PAIRS_SCHEMA, rows)
    frame = pd.DataFrame(matrix(sample, COLUMNS), columns=list(COLUMNS))
    return in_steps(frame).assign(**{PERSON: integers(sample, PERSON)})


def training_frame(sample: TrainingSample) -> pd.DataFrame:
    """Return the same columns of a version's training data; predictions are NaN unless the picture was held out."""
    unknown = (np.nan,) * len(EMOTIONS)
    rows = [(*((row.split in HELD_OUT and row.predictions) or unknown), *row.labels) for row in sample.rows]
    frame = pd.DataFrame(np.array(rows, np.float64).reshape(-1, len(COLUMNS)), columns=list(COLUMNS))
    return in_steps(frame).assign(**{PERSON: np.array([row.person for row in sample.rows], np.int64)})


def in_steps(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with all columns except `person` rounded to steps of 1 / STEPS."""
    columns = [name for name in frame.columns if name != PERSON]
    return frame.assign(**{name: (frame[name] * STEPS).round() / STEPS for name in columns})
