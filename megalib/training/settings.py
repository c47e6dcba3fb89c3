"""How a training runs."""

from dataclasses import dataclass

from megalib.errors import choose


@dataclass(frozen=True)
class Settings:
    """How a training runs; but for rounding, none of it changes what is learned.

    `checkpoint_every` counts steps of the optimiser, beside the checkpoint that ends each epoch;
    `validate_every` counts epochs. `on_bad_image` is "stop" or "skip", `tracker` "none" or a name
    that accelerate knows, such as "tensorboard". `resume` is "auto", which goes on from the last
    checkpoint and keeps finished weights, or "never", which trains anew. `keep_in_memory` keeps
    decoded images, for sets of a few thousand. `compile` draws stochastic depth in another order.
    """

    device: str = "auto"
    precision: str = "fp32"
    workers: int = 0
    keep_in_memory: bool = False
    compile: bool = False
    resume: str = "auto"
    checkpoint_every: int | None = None
    validate_every: int | None = None
    on_bad_image: str = "stop"
    tracker: str = "none"

    def __post_init__(self) -> None:
        """Refuse words that mean nothing."""
        choose("resume", self.resume, ("auto", "never"))
        choose("on_bad_image", self.on_bad_image, ("stop", "skip"))


def every(period: int | None, number: int) -> bool:
    """Whether something that is done every so often is due after `number` (from 0)."""
    return bool(period) and (number + 1) % period == 0
