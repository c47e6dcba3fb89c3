"""Images as tensors: the transforms, and the dataset that training and inference read."""

import numpy as np
import torch
from PIL import Image

from megalib import flavours
from megalib.data import images
from megalib.models import tensors
from tests.conftest import write_image


def test_inference_squeezes_to_a_square_bilinearly_and_normalises(tmp_path):
    write_image(tmp_path / "a.png", (50, 30), 0)
    flavour = flavours.get("pocket-T")
    found = tensors.inference_transform(flavour)(images.load(tmp_path / "a.png"))
    side = flavour.image_size
    picture = Image.open(tmp_path / "a.png").resize((side, side), Image.Resampling.BILINEAR)
    by_hand = (np.asarray(picture) / 255 - flavour.mean) / flavour.std
    np.testing.assert_allclose(found.numpy(), by_hand.transpose(2, 0, 1), atol=1e-5)
    assert found.dtype == torch.float32


def test_an_augmented_image_depends_on_its_seed_alone(tmp_path, recipe):
    write_image(tmp_path / "a.png", (300, 280), 0)
    flavour = flavours.get("pocket-T")
    data = tensors.SeededImageFiles(
        tmp_path, ["a.png"], flavour, recipe, np.zeros(1, int), keep=False
    )
    torch.manual_seed(1)
    first, label, counts, unreadable = data[tensors.Key(7, 0, True)]
    state = torch.get_rng_state()
    again = data[tensors.Key(7, 0, True)][0]
    other = data[tensors.Key(8, 0, True)][0]
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(state, torch.get_rng_state()), "the global stream must not notice"
    assert (label, counts, unreadable) == (0, True, -1)


def test_kept_images_are_read_once(tmp_path):
    write_image(tmp_path / "a.png", (9, 9), 0)
    data = tensors.ImageFiles(tmp_path, ["a.png"], lambda image: torch.zeros(1), keep=True)
    first = data.image(0)
    (tmp_path / "a.png").unlink()
    assert data.image(0) is first
