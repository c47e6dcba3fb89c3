"""The answers as files: for a spreadsheet, a browser and other programs."""

import numpy as np
import pandas as pd

from megalib.identify import answers, decisions, judging
from tests.identify import album


def test_answers_are_written_for_a_spreadsheet_and_for_a_browser(tmp_path):
    known, new = album.small(tmp_path)
    judgement = judging.Judgement(0.5, None, in_words="Expected: 38 of 100.")
    table = album.table_of(new, known)
    table["encounter"] = ["=1", *table["encounter"][1:]]
    written = answers.write_answers(tmp_path, table, judgement, new, known)
    assert [written.csv.name, written.page.name] == ["candidates.csv", "candidates.html"]
    read = pd.read_csv(written.csv)
    assert list(read) == list(written.table) == [name for name in table if "path" not in name]
    assert len(read) == 6 and read.loc[0, "encounter"] == "'=1", "no formula"
    page = written.page.read_text()
    assert "<h1>Candidates</h1>" in page
    assert "Expected: 38 of 100." in page
    assert written.in_words.startswith(judging.in_words(table, judgement, written.csv))
    assert written.made_by == {"Weights": f"SHA-256 {'ab' * 8}", "Threshold": "0.500000"}
    assert written.others == ()


def test_with_days_other_programs_get_their_files(tmp_path):
    known, new = album.small(tmp_path, ("a.jpg", "b.jpg", "c.jpg"))
    known.metadata["date"] = "2024-05-30"
    new.metadata["date"] = "2024-05-31"
    file = tmp_path / "decisions.csv"
    file.write_text("photograph,decision,identity\na.jpg,new,Zoë\nb.jpg,unknown,\n")
    done = decisions.apply(decisions.read(file), known, new)
    table = album.table_of(done.new, done.known)
    judgement = judging.Judgement(None, None)
    written = answers.write_answers(tmp_path, table, judgement, done.new, done.known, decided=done)
    assert [path.name for path in written.others] == [
        "observations.csv",
        "capture_history.csv",
        "capture_history.inp",
    ]
    observed = pd.read_csv(written.others[0])
    assert observed["individualID"].replace(np.nan, "").tolist()[:2] == ["Zoë", ""]
    seen = pd.read_csv(written.others[1], index_col="individual")
    assert seen.loc["Zoë"].tolist() == [0, 1] and seen.loc["Ada"].tolist() == [1, 0]
    assert len(written.in_words.splitlines()) == 3
    # After the last decision there is nothing to rank, and the files tell all of it.
    file.write_text(file.read_text() + "c.jpg,confirmed,Bo\n")
    last = decisions.apply(decisions.read(file), known, new)
    assert last.new.metadata.empty
    written = answers.write_answers(
        tmp_path, table[:0], judgement, last.new, last.known, decided=last
    )
    assert len(pd.read_csv(written.others[0])) == 3
    assert pd.read_csv(written.others[1])["2024-05-31"].sum() == 2
    assert '"b.jpg"' in written.page.read_text()  # so that the next file of decisions holds it
