"""Tables of a run read what was written, whatever animals are called."""

import numpy as np
import pandas as pd
import pytest

from megalib.errors import UserError
from megalib.evaluation import results

NAME = "MegaDescriptor-T-224"


def test_animals_may_be_called_like_missing_values(run):
    table = pd.DataFrame(
        {
            "image_id": ["007", "NaN"],
            "identity": ["NA", "None"],
            "path": ["a.png", "b.png"],
            "match_id": ["1", "NA"],
            "match_path": ["c.png", "NA"],
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


@pytest.mark.parametrize("content", [b"", b"\n", b"a,b\n1,2\n", b"\xff\x00\x01", b"a\n1,2,3\n"])
def test_damaged_results_are_told_in_one_line(run, content):
    rows = pd.DataFrame({"flavour": [NAME], "dataset": ["Owls"]})
    for file, read in (
        (run.results(NAME), lambda: results.read(run, [NAME])),
        (run.predictions(NAME, "Owls"), lambda: results.matches(run, NAME, rows, "demo")),
    ):
        file.parent.mkdir(parents=True)
        file.write_bytes(content)
        with pytest.raises(UserError, match=r"3_infer\.ipynb again") as told:
            read()
        assert "\n" not in str(told.value)
