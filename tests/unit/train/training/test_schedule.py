"""The learning rate and the moving average over a training."""

import torch
from torch import nn
from wakee_train.training.schedule import WeightAverage, ema_decay, learning_rate


def test_learning_rate_warms_up_and_falls():
    rates = [learning_rate(step, 200, 1.0) for step in range(200)]

    assert rates[0] == 0.1
    assert max(rates) == rates[9] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[-1] < 0.02
    assert ema_decay(0) < ema_decay(10) < ema_decay(10**6) == 0.998


def test_the_average_moves_and_integers_are_copied():
    old, new = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    new.weight.data.fill_(3.0)
    new.running_mean.fill_(8.0)
    new.num_batches_tracked.fill_(5)
    average = WeightAverage(old, new)
    average.update(0.75)
    average.update(0.75)

    assert old.weight.tolist() == [1 + 2 * (1 - 0.75**2)] * 2
    assert old.running_mean.tolist() == [8 * (1 - 0.75**2)] * 2
    assert old.num_batches_tracked == torch.tensor(5)
