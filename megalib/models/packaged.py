"""ImageNet weights of the pocket networks, out of packages that are installed with megalib.

Nothing of such a package is imported: only its file of weights is read, if it is the known one.
"""

import hashlib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import timm
import torch

from megalib.errors import UserError
from megalib.files.places import shown
from megalib.flavours import Flavour

# SHA-256 of the file of weights, by the network that it is of.
SHA256 = {
    "tf_efficientnet_lite0": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "tf_efficientnet_lite1": "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    "tf_efficientnet_lite2": "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
}
COUNTER = "num_batches_tracked"  # of a batch normalisation; it decides nothing


def network(flavour: Flavour, classes: int = 0) -> torch.nn.Module:
    """The network of a flavour with the ImageNet weights of its package.

    Args:
        flavour: a pocket network.
        classes: 0 gives the backbone, from images (n, 3, size, size) to embeddings (n, d); 1000
            the whole network, to float32 (n, 1000), one number for each class of ImageNet.

    Raises:
        UserError: the package is not installed, or its file is not the known one.
    """
    model = timm.create_model(flavour.architecture, num_classes=classes)
    weights = _by_names_of_timm(flavour)
    model.load_state_dict(
        {name: weights.get(name, own) for name, own in model.state_dict().items()}
    )
    return model


def _by_names_of_timm(flavour: Flavour) -> dict[str, torch.Tensor]:
    """The tensors of the package by the names of timm, which lists the same in the same order."""
    with torch.device("meta"):
        whole = timm.create_model(flavour.architecture, num_classes=1000).state_dict()
    theirs = torch.load(weights_file(flavour), map_location="cpu", weights_only=True)
    names = [name for name in whole if not name.endswith(COUNTER)]
    tensors = [tensor for name, tensor in theirs.items() if not name.endswith(COUNTER)]
    if [whole[name].shape for name in names] != [tensor.shape for tensor in tensors]:
        raise UserError(
            f"the weights of {flavour.pretrained_tag} are not those of a {flavour.architecture} as "
            f"timm {timm.__version__} builds it: install the pinned versions (make env)"
        )
    return dict(zip(names, tensors, strict=True))


def weights_file(flavour: Flavour) -> Path:
    """The file of weights in the package of a pocket network, which has been checked.

    Raises:
        UserError: the package is not installed, or its file is not the known one.
    """
    package = flavour.pretrained_tag
    try:
        files = [file for file in distribution(package).files or [] if file.suffix == ".pth"]
    except PackageNotFoundError:
        files = []
    found = [path for file in files if (path := Path(file.locate())).is_file()]
    if not found:
        told = f"the ImageNet weights of {flavour.name} are not installed: type make env"
        raise UserError(f"{told}, which installs the package {package}")
    with found[0].open("rb") as content:
        if hashlib.file_digest(content, "sha256").hexdigest() != SHA256[flavour.architecture]:
            raise UserError(
                f"{shown(found[0])} does not hold the weights of {package} that are known: remove "
                ".venv and type make env"
            )
    return found[0]
