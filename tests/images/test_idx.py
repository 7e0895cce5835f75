"""Reading MNIST's files: what is right is read, and every lie is found out before it does harm."""

import gzip
import resource
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saccade.errors import InputError
from saccade.images import mnist
from saccade.images.idx import read_idx

Write = Callable[[Path, bytes], None]


def idx(array: np.ndarray, claimed: tuple[int, ...] | None = None) -> bytes:
    sizes = claimed or array.shape
    return struct.pack(f">BBBB{len(sizes)}I", 0, 0, 8, len(sizes), *sizes) + array.astype(np.uint8).tobytes()


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    return path


def write_mnist(folder: Path, train: int = 30, test: int = 20, ending: str = "") -> Path:
    """A small data set in MNIST's four files; returns the folder."""
    generator = np.random.default_rng(0)
    for stem, count in (("train", train), ("t10k", test)):
        images = generator.integers(0, 256, (count, 28, 28))
        write(folder / f"{stem}-images-idx3-ubyte{ending}", idx(images))
        write(folder / f"{stem}-labels-idx1-ubyte{ending}", idx(np.arange(count) % 10))
    return folder


@pytest.fixture(params=["images", "images.gz"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / request.param


IMAGES = np.arange(3 * 4 * 5).reshape(3, 4, 5)


def test_reads_what_was_written(path: Path) -> None:
    np.testing.assert_array_equal(read_idx(write(path, idx(IMAGES)), axes=3), IMAGES)


@pytest.mark.parametrize("kept", [0, 3, 15, 16, 17, 75])
def test_too_short(path: Path, kept: int) -> None:
    with pytest.raises(InputError, match=rf"expected .* in .*{path.name}, found .*{kept}") as caught:
        read_idx(write(path, idx(IMAGES)[:kept]), axes=3)
    assert "\n" not in str(caught.value)


def test_too_long(path: Path) -> None:
    with pytest.raises(InputError, match="expected 76 bytes"):
        read_idx(write(path, idx(IMAGES) + b"\0"), axes=3)


@pytest.mark.parametrize("claimed", [(2**31, 28, 28), (2**32 - 1,) * 3, (4, 4, 5)])
def test_lying_header_is_refused_before_memory_is_taken(path: Path, claimed: tuple[int, ...]) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=path.name):
        read_idx(write(path, idx(IMAGES, claimed)), axes=3)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB on Linux


@pytest.mark.parametrize("axes", [1, 2, 4])
def test_other_number_of_axes(path: Path, axes: int) -> None:
    with pytest.raises(InputError, match=f"{axes} axes"):
        read_idx(write(path, idx(IMAGES)), axes=axes)


def test_truncated_gzip(tmp_path: Path) -> None:
    whole = gzip.compress(idx(np.random.default_rng(0).integers(0, 256, (9, 28, 28))))
    for kept in (0, 5, 30, len(whole) // 2, len(whole) - 1):
        (tmp_path / "images.gz").write_bytes(whole[:kept])
        with pytest.raises(InputError, match=r"images\.gz"):
            read_idx(tmp_path / "images.gz", axes=3)


def test_damaged_gzip(tmp_path: Path) -> None:
    whole = bytearray(gzip.compress(idx(np.random.default_rng(0).integers(0, 256, (9, 28, 28)))))
    whole[len(whole) // 2] ^= 255
    (tmp_path / "images.gz").write_bytes(whole)
    with pytest.raises(InputError, match=r"images\.gz"):
        read_idx(tmp_path / "images.gz", axes=3)


def test_no_such_file_and_a_folder(tmp_path: Path) -> None:
    for name in ("absent", "."):
        with pytest.raises(InputError, match="can be read"):
            read_idx(tmp_path / name, axes=3)


@given(st.binary(max_size=40), st.sampled_from(["", ".gz"]), st.booleans())
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, ending: str, packed: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / f"any{ending}"
    path.write_bytes(gzip.compress(data) if packed else b"\0\0\x08\x01" + data)
    try:
        array = read_idx(path, axes=1)
    except InputError:
        return
    assert array.ndim == 1
    assert array.nbytes == int.from_bytes(data[-array.nbytes - 4 : len(data) - array.nbytes], "big")


@pytest.mark.parametrize("inside", ["", "MNIST/raw"])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_mnist_is_found(tmp_path: Path, inside: str, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mnist(tmp_path / inside, ending=ending)
    train, test = mnist.load_mnist(str(tmp_path))
    assert train.pixels.shape == (30, 1, 28, 28)
    assert test.labels.tolist() == [*range(10), *range(10)]
    monkeypatch.setenv("SACCADE_DATA", str(tmp_path))
    assert (mnist.load_mnist(None)[0].pixels == train.pixels).all()


def test_mnist_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SACCADE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    write_mnist(tmp_path / "saccade" / "MNIST" / "raw")
    assert len(mnist.load_mnist(None)[0].labels) == 30


def test_no_network_says_where_it_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def offline(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.delenv("SACCADE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", offline)
    with pytest.raises(InputError, match="no route to host") as caught:
        mnist.load_mnist(None)
    message = str(caught.value)
    assert str(tmp_path) in message
    assert "--data-dir" in message
    assert "\n" not in message
    assert capfd.readouterr().out == ""


def test_mnist_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        mnist.load_mnist(str(tmp_path / "absent"))
    with pytest.raises(InputError, match="none of them"):
        mnist.load_mnist(str(tmp_path))
    write_mnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(InputError, match="found no t10k-labels-idx1-ubyte;"):
        mnist.load_mnist(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "array", "said"),
    [
        ("train-labels-idx1-ubyte", np.arange(30) % 11, "labels 0 to 9 .*found 10"),
        ("train-labels-idx1-ubyte", np.zeros(29), "30 labels .*found 29"),
        ("train-images-idx3-ubyte", np.zeros((30, 27, 28)), "28x28 .*27"),
        ("t10k-images-idx3-ubyte", np.zeros((0, 28, 28)), "28x28 .*0, 28, 28"),
    ],
)
def test_files_that_do_not_fit_together(tmp_path: Path, name: str, array: np.ndarray, said: str) -> None:
    write(write_mnist(tmp_path) / name, idx(array))
    with pytest.raises(InputError, match=said):
        mnist.load_mnist(str(tmp_path))
