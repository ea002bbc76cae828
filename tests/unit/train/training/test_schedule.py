"""The learning rate and the moving average over a training."""

from wakee_train.training.schedule import ema_decay, learning_rate


def test_learning_rate_warms_up_and_falls():
    rates = [learning_rate(step, 200, 1.0) for step in range(200)]

    assert rates[0] == 0.1
    assert max(rates) == rates[9] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[-1] < 0.02
    assert ema_decay(0) < ema_decay(10) < ema_decay(10**6) == 0.998
