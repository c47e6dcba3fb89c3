"""What the tests of drawn animals share: a shot of which only some fields matter."""

from dataclasses import replace

import pytest

from megalib.drawn.survey import plan


@pytest.fixture(scope="session")
def shot():
    """Make a shot, in sunlight and unharmed but for what is given."""
    plain = {"light": "sun", "wet": 0.0, "mud": 0.0, "scars": 0, "tint": (1.0, 1.0, 1.0)}
    plain |= {"motion": 0.0, "snow": 0, "soft": 0.0, "grain": 0.01, "hidden_by": "", "hidden": 0.0}
    first = {name: plan(1, name, 1, 1)[0] for name in ("zebra", "leopard", "turtle", "whale_shark")}

    def make(species="zebra", **fields):
        return replace(first[species], **plain | fields)

    return make
