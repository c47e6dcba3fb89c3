"""Candidates stand beside the photograph that they are for."""

import numpy as np
import pandas as pd

from megalib.identify import plots as identify_plots
from tests.figures import colours


def test_candidates_stand_beside_their_photograph(pictures):
    table = pd.DataFrame(
        {
            "photograph": ["x", "x", "x", "x"],
            "animal": [1, 1, 2, 2],
            "path": ["0.png", "0.png", "1.png", "1.png"],
            "rank": [1, 2, 1, 2],
            "candidate": ["a", "b", "b", "a"],
            "known_path": ["2.png", "3.png", "3.png", "2.png"],
            "similarity": [0.9, 0.5, 0.4, 0.3],
            "probability": [0.8, 0.25, np.nan, np.nan],
            "unlike_all_known": ["no", "no", "yes", "yes"],
        }
    )
    axes = np.reshape(identify_plots.candidates(pictures, pictures, table).axes, (2, 3))
    assert colours(axes) == [0, 2, 3, 1, 3, 2]
    assert [row[0].get_title() for row in axes] == ["new photograph", "unlike all known"]
    assert [axis.get_title() for axis in axes[0, 1:]] == ["a", "b"]
    assert axes[0, 1].get_xlabel() == "80%, similarity 0.90"
    assert axes[1, 1].get_xlabel() == "similarity 0.40"
