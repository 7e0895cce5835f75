"""The sketch-rnn layout: read as NumPy reads it, and nothing in it is ever called."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from saccade.errors import InputError
from saccade.sketch.npz import read_npz
from tests.sketch.drawings import write_npz, write_pickles, zigzag


def test_what_numpy_writes_is_read_back(tmp_path: Path) -> None:
    drawings = [zigzag(5), zigzag(2).astype(np.float32), zigzag(9).astype(np.int64)]
    path = write_npz(tmp_path / "a.npz", train=drawings, valid=drawings[:1], test=drawings[1:])
    found = read_npz(path)
    assert list(found) == ["train", "valid", "test"]
    for ours, theirs in zip(found["train"], drawings, strict=True):
        assert ours.dtype == theirs.dtype and np.array_equal(ours, theirs)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_protocol_that_arrays_are_pickled_with(tmp_path: Path, protocol: int) -> None:
    array = np.empty(1, object)
    array[0] = zigzag(4)
    data = pickle.dumps(array, protocol)
    path = write_pickles(tmp_path / "a.npz", dict.fromkeys(("train", "valid", "test"), data))
    if protocol < 5:
        assert np.array_equal(read_npz(path)["test"][0], zigzag(4))
    else:  # numpy.save never writes it
        with pytest.raises(InputError, match="arrays of numbers"):
            read_npz(path)


class Runs:
    """A pickle of this runs a command where it is loaded."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_pickle_that_wants_to_run_code_is_refused_and_does_not_run(tmp_path: Path, depth: int) -> None:
    marker = tmp_path / "ran"
    hostile: object = Runs(marker)
    for _ in range(depth):
        array = np.empty(1, object)
        array[0] = hostile
        hostile = array
    path = write_pickles(tmp_path / "a.npz", dict.fromkeys(("train", "valid", "test"), pickle.dumps(hostile, 2)))
    with pytest.raises(InputError, match=r"expected arrays of numbers and nothing else, found a pickle with a call of"):
        read_npz(path)
    assert not marker.exists()
    pickle.loads(pickle.dumps(Runs(marker)))  # noqa: S301  # the very pickle does run where it is trusted
    assert marker.exists()


@pytest.mark.parametrize(
    "code",
    [
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cnumpy\nload\n(S'x'\ntR.",
        b"cnumpy.core.multiarray\n_reconstruct\n(tR(I1\n(I4\ntcnumpy\ndtype\n(S'V8'\ntRI00\nS''\ntb.",
        b"cnumpy.core.multiarray\n_reconstruct\n(tR(I1\n(I999999999\ntcnumpy\ndtype\n(S'i2'\ntRI00\nS'ab'\ntb.",
        b"cnumpy.core.multiarray\n_reconstruct\n(tR(I1\n(I-1\ntcnumpy\ndtype\n(S'i2'\ntRI00\nS'ab'\ntb.",
        b"cnumpy.core.multiarray\n_reconstruct\n(tR(I1\n(I1\ntI5\nI00\nS'ab'\ntb.",
        b"c__main__\nX\n.",
        b"Pabc\n.",
        b"\x80\x04",
        b"garbage",
        b"",
        b"N.",
        b"(lp0\nI1\na.",
    ],
)
def test_other_pickles_are_refused_in_one_line(tmp_path: Path, code: bytes) -> None:
    path = write_pickles(tmp_path / "a.npz", dict.fromkeys(("train", "valid", "test"), code))
    with pytest.raises(InputError):
        read_npz(path)


def test_other_layouts_are_refused(tmp_path: Path) -> None:
    drawings = [zigzag(3)]
    with pytest.raises(InputError, match="found no test among"):
        read_npz(write_npz(tmp_path / "a.npz", train=drawings, valid=drawings))
    np.savez(tmp_path / "b.npz", train=np.zeros((3, 3)), valid=np.zeros(3), test=np.zeros(3))
    with pytest.raises(InputError, match=r"found float64 \[3, 3\] as train"):
        read_npz(tmp_path / "b.npz")
    (tmp_path / "c.npz").write_bytes(b"PK\x03\x04 no zip")
    with pytest.raises(InputError, match=r"expected an \.npz file"):
        read_npz(tmp_path / "c.npz")
    with pytest.raises(InputError, match="No such file"):
        read_npz(tmp_path / "d.npz")
