"""How a training is done, apart from the parameters of a run. `benchmarks/training_choices.py` measures each choice."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """The choices of a training.

    Attributes:
        champion_rate: Factor of the learning rate if the training starts from a champion, 0 to 1.
        layer_decay: Factor of the learning rate from each layer to the one before it, if it starts from a champion.
        alphas: Shares of the trained weights to try in a mixture with the champion's, 0 to 1, the champion's first.
        even_batches: Whether all batches of an epoch have nearly the same size, instead of a smaller last one.
        scales: Range of the side of a crop, as a multiple of the usual 224 pixels, at most 256 / 224.
        blur: Probability that a picture is blurred.
        compression: Probability that a picture is compressed as JPEG.
    """

    champion_rate: float = 1.0
    layer_decay: float = 1.0
    alphas: tuple[float, ...] = (1.0,)
    even_batches: bool = False
    scales: tuple[float, float] = (1.0, 1.0)
    blur: float = 0.0
    compression: float = 0.0


NONE = Recipe()
