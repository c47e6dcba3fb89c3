"""What to do when memory runs out in a training."""

from collections.abc import Iterator
from contextlib import contextmanager

from megalib.errors import UserError
from megalib.flavours import Recipe
from megalib.models import devices


@contextmanager
def memory_told(recipe: Recipe) -> Iterator[None]:
    """Turn an error of torch about memory into advice.

    Raises:
        UserError: memory ran out in the block.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if devices.is_about_loaders(error):
            raise UserError(devices.LOADER_LOST) from error
        if not devices.is_about_memory(error):
            raise
        told = f"out of memory with batch_size {recipe.batch_size}: {_smaller(recipe)}"
        raise UserError(told) from error


def _smaller(recipe: Recipe) -> str:
    """What to try when memory runs out: less at a time, and the same recipe otherwise."""
    size = recipe.batch_size
    if size == 1:
        return "take a smaller flavour"
    parts = next(part for part in range(2, size + 1) if size % part == 0)
    advice = (
        f"try batch_size {size // parts} with accumulation_steps "
        f"{recipe.accumulation_steps * parts}"
    )
    if recipe.accumulation == "sum" and recipe.optimizer == "SGD":
        # There are so many more gradients to add up; AdamW divides by their size.
        advice += f" and learning_rate {recipe.learning_rate / parts:g}"
    return advice
