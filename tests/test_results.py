"""Tables of a run read what was written, whatever animals are called."""

import numpy as np
import pandas as pd

from megalib import results

NAME = "MegaDescriptor-T-224"


def test_animals_may_be_called_like_missing_values(run):
    table = pd.DataFrame(
        {
            "image_id": ["007", "NaN"],
            "identity": ["NA", "None"],
            "predicted": ["null", "None"],
            "similarity": [0.5, np.nan],
            "correct": [False, True],
            "rank": [1, 0],
            "twin": [np.nan, "a.jpg"],
        }
    )
    file = run.predictions(NAME, "Owls")
    file.parent.mkdir(parents=True)
    table.to_csv(file, index=False)
    rows = pd.DataFrame({"flavour": [NAME], "dataset": ["Owls"]})
    _, read = results.matches(run, NAME, rows, "demo")
    pd.testing.assert_frame_equal(read["Owls"], table)
