"""Networks embed images: each its row, in the mode and on the device they came with."""

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from PIL import Image
from timm.layers import set_fused_attn
from torchvision import transforms

from megalib import flavours
from megalib.data.metadata import read_metadata
from megalib.errors import UserError
from megalib.evaluation import results
from megalib.models import networks, tensors
from megalib.retrieval import extraction, found, matching, ranking
from tests.conftest import SHARED, needs_shared

NAME = "MegaDescriptor-T-224"
CPU = torch.device("cpu")


def test_one_row_per_image_in_order_and_the_mode_is_given_back(flavour, prepared):
    metadata = read_metadata(prepared.metadata("DemoLeopard"))
    data = tensors.ImageFiles(
        prepared.images(256, "DemoLeopard"), metadata["path"], tensors.inference_transform(flavour)
    )
    model = networks.untrained_network(flavour, 0).train()
    rows = extraction.extract(model, data, CPU, batch_size=4)
    assert model.training
    assert rows.dtype == np.float32
    assert rows.shape == (21, model.num_features)
    model.eval()
    for index in (0, 5, 20):
        with torch.inference_mode():
            alone = model(data[index][0][None])[0].numpy()
        np.testing.assert_allclose(rows[index], alone, atol=1e-5)


class Constant(torch.nn.Module):
    """Gives every image the same embedding."""

    num_features = 2

    def __init__(self, value):
        super().__init__()
        self.scale, self.value = torch.nn.Parameter(torch.tensor(1.0)), value

    def forward(self, pixels):
        if self.value is None:
            raise ValueError("no memory")
        embeddings = torch.ones(len(pixels), 2) * self.scale
        embeddings[-1] = self.value
        return embeddings


def test_features_that_are_no_numbers_are_not_passed_on(gallery):
    with pytest.raises(UserError, match=r"3 embeddings.*the first is that of images/8_8\.png"):
        extraction.extract(Constant(torch.nan), gallery, CPU, batch_size=9)
    part = torch.utils.data.Subset(gallery, range(5, 9))
    with pytest.raises(UserError, match=r"1 embeddings.*images/8_8\.png"):
        extraction.extract(Constant(torch.inf), part, CPU)


@pytest.mark.parametrize("value", [1.0, torch.nan, None])
def test_a_network_is_given_back_as_it_was(gallery, value):
    """Frozen parts stay frozen, and it can be trained, whether the extraction went well or not."""
    frozen = torch.nn.Sequential(torch.nn.Dropout(0.5))
    model = Constant(value)
    model.frozen, model.head = frozen.eval(), torch.nn.Dropout(0.1)
    assert (model.training, frozen.training, model.head.training) == (True, False, True)
    try:
        extraction.extract(model, gallery, CPU)
    except (UserError, ValueError):
        assert value != 1.0
    assert model.training and model.head.training
    assert not frozen.training and not frozen[0].training
    model.value = 2.0
    model(torch.zeros(3, 3, 8, 8)).sum().backward()
    assert model.scale.grad == 4.0  # two ones for each image that was not overwritten
    assert not model.scale.is_inference()


def test_bfloat16_features_point_nearly_the_same_way(flavour, gallery):
    model = networks.untrained_network(flavour, 0)
    exact = extraction.extract(model, gallery, CPU)
    short = extraction.extract(model, gallery, CPU, precision="bf16")
    assert short.dtype == np.float32
    assert not np.array_equal(exact, short)
    lengths = np.linalg.norm(exact, axis=1) * np.linalg.norm(short, axis=1)
    assert ((exact * short).sum(axis=1) / lengths).min() > 0.999


def lions(most: int) -> pd.DataFrame:
    """Photographs of LionData, two of each lion: one to search for, one to search in."""
    folder = SHARED / "data" / "LionData"
    paths = sorted(path.relative_to(folder) for path in folder.rglob("*.png"))
    table = pd.DataFrame({"path": [path.as_posix() for path in paths]})
    table["identity"] = [path.parent.name for path in paths]
    table = table.groupby("identity").filter(lambda own: len(own) > 1)
    table = table.groupby("identity").head(2).head(most).reset_index(drop=True)
    table["split"] = np.where(np.arange(len(table)) % 2, "train", "test")
    return table.assign(image_id=table["path"])


@needs_shared
@pytest.mark.slow
def test_a_published_network_on_photographs_agrees_with_the_reference_way():
    """Swin-T with random weights on 48 photographs of lions, beside the plain way of doing it.

    Plain: timm's network with its own, unfused attention, torchvision's resize, one image at a
    time, the whole matrix of similarities in float64.
    """
    flavour, metadata = flavours.get(NAME), lions(48)
    folder = SHARED / "data" / "LionData"
    data = tensors.ImageFiles(folder, metadata["path"], tensors.inference_transform(flavour))
    model = networks.untrained_network(flavour, 0)
    rows = extraction.extract(model, data, CPU, batch_size=16)

    set_fused_attn(False)
    try:
        plain = timm.create_model("swin_tiny_patch4_window7_224", num_classes=0).eval()
    finally:
        set_fused_attn(True, experimental=True)
    plain.load_state_dict(model.state_dict())
    assert not any(getattr(part, "fused_attn", False) for part in plain.modules())
    transform = transforms.Compose(
        [
            transforms.Resize((224, 224)),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    told = []
    with torch.no_grad():
        for path in metadata["path"]:
            with Image.open(folder / path) as image:
                told.append(plain(transform(image.convert("RGB"))[None])[0].numpy())
    told = np.stack(told)
    np.testing.assert_allclose(rows, told, atol=1e-4, rtol=0)

    test, train = ((metadata["split"] == part).to_numpy() for part in ("test", "train"))
    unit = told.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    nearest = (unit[test] @ unit[train].T).argmax(axis=1)
    predicted = metadata.loc[train, "identity"].to_numpy()[nearest]
    matches = matching.match(metadata, rows)
    assert len(matches) == 24
    assert matches["predicted"].tolist() == predicted.tolist()
    accuracy = np.mean(metadata.loc[test, "identity"].to_numpy() == predicted)
    ranks = ranking.rank(metadata, rows)
    assert results.counts(found.Found(metadata, matches, ranks, {}, {}))["accuracy"] == accuracy

    # 0.5 % of 24 queries is none; one may change, since random features are all nearly alike.
    short = matching.match(metadata, extraction.extract(model, data, CPU, precision="bf16"))
    assert (short["predicted"] != matches["predicted"]).sum() <= 1
