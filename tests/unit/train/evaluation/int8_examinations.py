"""Examinations of an int8 variant in which each picture is another person's."""

import numpy as np
from wakee_train.evaluation.quantization import Examination
from wakee_train.records import GateLimits


def examination(test, limit, slices=None):
    limits = GateLimits(confidence=0.8, min_improvement=0, max_regression=limit, min_test_samples=2, min_test_people=2)
    return Examination(test, np.arange(len(test), dtype=np.int64), slices or {}, limits)
