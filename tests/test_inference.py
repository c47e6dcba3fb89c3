import numpy as np
import pandas as pd
import pytest
import torch

from megalib import features, flavours, images, inference, networks, results, splits
from megalib.errors import UserError

from .conftest import SHARED, needs_shared

NAME = "MegaDescriptor-T-224"
CPU = torch.device("cpu")


def test_one_row_per_image_in_order_and_the_mode_is_given_back(flavour, prepared):
    metadata = splits.read(prepared.metadata("DemoLeopard"))
    data = images.ImageFiles(
        prepared.images(256, "DemoLeopard"), metadata["path"], images.inference_transform(flavour)
    )
    model = networks.untrained(flavour, 0).train()
    rows = features.extract(model, data, CPU, batch_size=4)
    assert model.training
    assert rows.dtype == np.float32
    assert rows.shape == (21, model.num_features)
    model.eval()
    for index in (0, 5, 20):
        with torch.inference_mode():
            alone = model(data[index][0][None])[0].numpy()
        np.testing.assert_allclose(rows[index], alone, atol=1e-5)


def test_features_that_are_no_numbers_are_not_passed_on(flavour, prepared):
    class Broken(torch.nn.Module):
        num_features = 2

        def forward(self, pixels):
            return torch.full((len(pixels), 2), torch.nan)

    metadata = splits.read(prepared.metadata("DemoLeopard"))
    folder = prepared.images(256, "DemoLeopard")
    data = images.ImageFiles(folder, metadata["path"], images.inference_transform(flavour))
    with pytest.raises(RuntimeError, match="21 rows are not finite"):
        features.extract(Broken(), data, CPU)


def test_features_survive_their_file(tmp_path):
    rows = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    features.save(tmp_path / "a.safetensors", rows)
    np.testing.assert_array_equal(features.read(tmp_path / "a.safetensors"), rows)


def test_a_query_gets_the_identity_of_the_nearest_training_image():
    metadata = pd.DataFrame(
        {
            "image_id": ["q", "a", "b", "u"],
            "identity": ["Mia", "Leo", "Mia", "unknown"],
            "path": ["q.png", "a.png", "b.png", "u.png"],
            "split": ["test", "train", "train", None],
        }
    )
    rows = np.array([[1, 0], [0, 1], [1, 0.5], [1, 0]], dtype=np.float32)
    matches = inference.match(metadata, rows)
    assert matches.shape[0] == 1
    row = matches.iloc[0]
    assert (row["identity"], row["predicted"], row["match_id"]) == ("Mia", "Mia", "b")
    assert row["similarity"] == pytest.approx(1 / np.sqrt(1.25))
    assert row["correct"]


@pytest.mark.parametrize("part", ["train", "test"])
def test_an_empty_query_or_database_is_refused(part):
    metadata = pd.DataFrame({"image_id": ["a"], "identity": ["A"], "path": ["a"], "split": [part]})
    with pytest.raises(UserError, match="needs test and training images"):
        inference.match(metadata, np.ones((1, 2), np.float32))


def test_results_count_what_the_predictions_say(flavour, prepared):
    model, other = networks.untrained(flavour, 0), networks.untrained(flavour, 1)
    lines = []
    table, predictions = inference.infer(
        model, flavour, ["DemoLeopard"], prepared, CPU, untrained=other, report=lines.append
    )
    row = table.iloc[0]
    matches = predictions["DemoLeopard"]
    assert (row["n_database"], row["n_query"]) == (16, 4)
    assert row["n_correct"] == (matches["identity"] == matches["predicted"]).sum()
    assert row["accuracy"] == row["n_correct"] / 4
    assert 0 <= row["untrained_accuracy"] <= 1
    assert lines == [f"DemoLeopard: {row['n_correct']} of 4 test images right"]
    written = pd.read_csv(prepared.predictions(NAME, "DemoLeopard"), dtype=results.TEXT)
    pd.testing.assert_frame_equal(written, matches, check_dtype=False, rtol=1e-5)
    assert features.read(prepared.features(NAME, "DemoLeopard")).shape[0] == 21
    pd.testing.assert_frame_equal(results.read(prepared, [NAME]), table, check_dtype=False)


def test_weights_that_were_never_trained_are_asked_for(flavour, run):
    with pytest.raises(UserError, match="train this flavour first"):
        inference.load_network(flavour, "trained", run)


def test_weights_of_the_hub_that_cannot_be_fetched_are_named(run, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="hf-hub:BVRA/MegaDescriptor-T-224") as caught:
        inference.load_network(flavours.get(NAME), "hub", run)
    assert "\n" not in str(caught.value)


def test_results_are_asked_for_in_one_line(run):
    with pytest.raises(UserError, match="run 3_infer"):
        results.read(run, [NAME])
    assert results.missing(run, [NAME]) == [NAME]


@needs_shared
def test_a_run_is_compared_with_the_published_figure_in_images():
    rows = pd.DataFrame(
        {
            "dataset": ["LionData", "DemoZebra"],
            "flavour": [NAME, NAME],
            "scale": ["demo", "demo"],
            "n_query": [155, 10],
            "n_correct": [7, 9],
            "accuracy": [7 / 155, 0.9],
        }
    )
    theirs = pd.read_csv(SHARED / "published" / "accuracies.csv")
    lion = theirs[(theirs["dataset"] == "LionData") & (theirs["flavour"] == NAME)].iloc[0]
    compared = results.beside_published(rows)
    assert compared["dataset"].tolist() == ["LionData"]
    assert compared["difference, images"].tolist() == [7 - lion["n_correct"]]
