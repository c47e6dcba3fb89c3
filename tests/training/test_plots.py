"""Figures of trainings draw what they were given."""

import numpy as np
import pandas as pd
import pytest

from megalib.training import plots as training_plots
from tests.figures import line


def test_curves_follow_the_history():
    history = pd.DataFrame(
        {
            "epoch": [1, 2],
            "loss": [3.0, 1.0],
            "learning_rate": [0.1, 0.05],
            "validation": [np.nan, 0.5],
        }
    )
    loss, rate, validation = training_plots.training_curves(history).axes
    assert line(loss) == ([1, 2], [3, 1])
    assert line(rate) == ([1, 2], [0.1, 0.05])
    assert line(validation) == ([2], [50])
    assert len(training_plots.training_curves(history.assign(validation=np.nan)).axes) == 2


def test_the_margin_moves_the_image_away_from_its_individual():
    without, with_margin = training_plots.arcface(margin=0.3).axes
    angles = [
        [np.arctan2(y[-1], x[-1]) for x, y in (line(axis, n) for n in range(len(axis.lines)))]
        for axis in (without, with_margin)
    ]
    assert max(angles[1][1:]) - max(angles[0][1:]) == pytest.approx(0.3)
