"""Checkpoints: what is written comes back bit for bit; what is damaged, foreign or lying is refused in one line."""

import hashlib
import json
import logging
import os
import resource
import shutil
import struct
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from saccade.errors import InputError
from saccade.pipeline.checkpoint.checkpoints import Snapshot, load_into, newest, read, save
from saccade.pipeline.checkpoint.snapshot import Damaged


def snapshot(step: int = 3) -> Snapshot:
    generator = torch.Generator().manual_seed(step)
    weight = torch.randn(4, 3, generator=generator)
    tensors = {
        "model/weight": weight,
        "model/view": weight[1:3],  # shares its memory
        "model/transposed": weight.t(),
        "model/half": weight.to(torch.bfloat16),
        "ema/nan": torch.tensor([float("nan"), -0.0, float("inf")]),
        "optimizer/weight/step": torch.tensor(float(step)),
        "generator": generator.get_state(),
        "empty": torch.zeros(0, 5),
        "flags": torch.tensor([True, False]),
    }
    return Snapshot(step, tensors, {"best": 0.1 + 0.2, "loss": float("inf"), "text": 'é " \\ \n', "list": [1, None]})


def bits(tensor: torch.Tensor) -> tuple[torch.dtype, torch.Size, bytes]:
    flat = tensor.contiguous().flatten()
    return tensor.dtype, tensor.shape, bytes(flat.view(torch.uint8).tolist()) if flat.numel() else b""


def assert_same(a: Snapshot | None, b: Snapshot) -> None:
    assert a is not None
    assert (a.step, a.facts) == (b.step, b.facts)
    assert a.tensors.keys() == b.tensors.keys()
    assert all(bits(a.tensors[name]) == bits(b.tensors[name]) for name in b.tensors)


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def one_line(error: InputError) -> str:
    text = str(error)
    assert "\n" not in text
    assert text.startswith("expected ")
    return text


def test_all_comes_back_bit_for_bit_and_can_be_changed(tmp_path: Path) -> None:
    written = snapshot()
    path = save(tmp_path, written)
    assert path == tmp_path / "checkpoint-3.safetensors"
    found = newest(tmp_path)
    assert_same(found, written)
    assert found is not None
    found.tensors["model/weight"].add_(1)  # no warning: the memory is the tensor's own


def test_equal_snapshots_make_equal_files(tmp_path: Path) -> None:
    first = save(tmp_path, snapshot()).read_bytes()
    assert save(tmp_path, snapshot()).read_bytes() == first


def test_any_safetensors_reader_reads_the_tensors(tmp_path: Path) -> None:
    tensors = safetensors.torch.load_file(save(tmp_path, snapshot()))
    assert torch.equal(tensors["model/weight"], snapshot().tensors["model/weight"])


def test_the_last_ones_are_kept_by_number_not_by_spelling(tmp_path: Path) -> None:
    for step in (8, 9, 10, 100):
        save(tmp_path, snapshot(step), keep=2)
    assert names(tmp_path) == ["checkpoint-10.safetensors", "checkpoint-100.safetensors"]
    assert_same(newest(tmp_path), snapshot(100))


def test_a_folder_without_checkpoints_has_no_newest(tmp_path: Path) -> None:
    (tmp_path / "checkpoint-five.safetensors").write_text("not ours")
    (tmp_path / "checkpoint-7.safetensors").mkdir()
    assert newest(tmp_path) is None


def test_a_damaged_newest_is_reported_and_the_one_before_it_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    save(tmp_path, snapshot(1), keep=3)
    save(tmp_path, snapshot(2), keep=3)
    last = save(tmp_path, snapshot(3), keep=3)
    last.write_bytes(last.read_bytes()[:-1])
    with caplog.at_level(logging.WARNING, "saccade"):
        assert_same(newest(tmp_path), snapshot(2))
    assert len(caplog.messages) == 1
    assert "checkpoint-3.safetensors" in caplog.messages[0]
    assert caplog.messages[0].endswith("the checkpoint before it is used")
    save(tmp_path, snapshot(3), keep=3)  # the run went on from 2 and came to 3 again
    assert_same(newest(tmp_path), snapshot(3))


def test_a_damaged_later_one_never_outlives_the_good_ones(tmp_path: Path) -> None:
    for step in (1, 9):
        path = save(tmp_path, snapshot(step))
    path.write_bytes(b"")
    save(tmp_path, snapshot(2), keep=2)
    assert names(tmp_path) == ["checkpoint-1.safetensors", "checkpoint-2.safetensors"]


def test_all_damaged_is_an_error_and_nothing_is_removed(tmp_path: Path) -> None:
    for step in (1, 2):
        save(tmp_path, snapshot(step)).write_bytes(b"short")
    with pytest.raises(InputError) as error:
        newest(tmp_path)
    assert "checkpoint-1.safetensors" in one_line(error.value)
    assert len(names(tmp_path)) == 2


def test_every_flipped_bit_is_found(tmp_path: Path) -> None:
    path = save(tmp_path, Snapshot(1, {"w": torch.arange(3.0)}, {"best": 1}))
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(InputError) as error:
            read(path)
        one_line(error.value)


def test_every_truncation_is_found(tmp_path: Path) -> None:
    path = save(tmp_path, Snapshot(1, {"w": torch.arange(3.0)}, {}))
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(Damaged):
            read(path)


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_random_bytes_are_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "checkpoint-1.safetensors"
    path.write_bytes(data)
    with pytest.raises(InputError):
        read(path)


@given(st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
@settings(max_examples=100, deadline=None)
def test_random_headers_are_refused(tmp_path_factory: pytest.TempPathFactory, data: object) -> None:
    path = tmp_path_factory.getbasetemp() / "checkpoint-1.safetensors"
    for header in (data, {"__metadata__": data}, {"__metadata__": {"saccade": json.dumps(data)}}):
        text = json.dumps(header).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(16))
        with pytest.raises(InputError):
            read(path)


def lying_files(folder: Path) -> dict[str, Path]:
    """Files from strangers, each made to cost time or memory, or to run code."""
    contents = {
        "header of 2^63 bytes": struct.pack("<Q", 1 << 63) + b"{}",
        "header longer than the file": struct.pack("<Q", 1000) + b"{}",
        "deep nesting": struct.pack("<Q", 900_000) + b"[" * 900_000,
        "huge number": struct.pack("<Q", 900_000) + b"1" * 900_000,
        "not UTF-8": struct.pack("<Q", 4) + b'{"\xff}',
        "empty": b"",
    }
    files = {name: folder / f"{index}.safetensors" for index, name in enumerate(contents)}
    for name, path in files.items():
        path.write_bytes(contents[name])
    lie = {"w": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}
    record = {"format": 1, "sha256": "0" * 64, "step": 1, "facts": {}}
    text = json.dumps({"__metadata__": {"saccade": json.dumps(record)}, **lie}).encode()
    files["tensor of 4 TB"] = folder / "tensor.safetensors"
    files["tensor of 4 TB"].write_bytes(struct.pack("<Q", len(text)) + text)
    files["pickle"] = folder / "pickle.safetensors"
    with zipfile.ZipFile(files["pickle"], "w") as archive:
        archive.writestr("archive/data.pkl", b"cos\nsystem\n(S'touch owned'\ntR.")
    files["header of 1 GB in a file of 1 GB"] = folder / "sparse.safetensors"
    with open(files["header of 1 GB in a file of 1 GB"], "wb") as file:
        file.write(struct.pack("<Q", 1 << 30) + b"{")
        file.truncate((1 << 30) + 8)
    return files


def test_files_from_strangers_are_refused_at_once(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name, path in lying_files(tmp_path).items():
        start = time.perf_counter()
        with pytest.raises(InputError) as error:
            read(path)
        one_line(error.value)
        assert time.perf_counter() - start < 1, name
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024  # kilobytes


def with_record(path: Path, **changes: object) -> Path:
    """A checkpoint with other metadata and a checksum that is right for them."""
    record = {"format": 1, "sha256": "0" * 64, "step": 1, "facts": {}, **changes}
    data = safetensors.torch.save({"w": torch.zeros(2)}, {"saccade": json.dumps(record)})
    checksum = hashlib.sha256(data).hexdigest()
    path.write_bytes(data.replace(b"0" * 64, checksum.encode(), 1))
    return path


def test_the_record_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint-1.safetensors"
    assert read(with_record(path)).step == 1
    for changes in ({"step": -1}, {"step": True}, {"step": 1.0}, {"facts": []}, {"facts": None}):
        with pytest.raises(Damaged):
            read(with_record(path, **changes))


def test_a_newer_format_is_not_taken_for_damage(tmp_path: Path) -> None:
    save(tmp_path, snapshot(1))
    with_record(tmp_path / "checkpoint-2.safetensors", format=2)
    with pytest.raises(InputError, match="format 1, found format 2"):
        newest(tmp_path)


def test_a_safetensors_file_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint-1.safetensors"
    safetensors.torch.save_file({"w": torch.zeros(2)}, path)
    with pytest.raises(Damaged, match="without Saccade's record"):
        read(path)


SAVE_ON_A_FULL_DISK = """
import resource, signal, sys, torch
from saccade.errors import InputError
from saccade.pipeline.checkpoint.checkpoints import Snapshot, save
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # no file may grow past 1,000 bytes
try:
    save(sys.argv[1], Snapshot(2, {"w": torch.zeros(10_000)}, {}))
except InputError as error:
    sys.exit(str(error))
"""


def test_a_full_disk_leaves_the_last_good_one(tmp_path: Path) -> None:
    save(tmp_path, snapshot(1))
    command = [sys.executable, "-B", "-c", SAVE_ON_A_FULL_DISK, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("expected room for 40,")
    assert done.stderr.count("\n") == 1
    assert names(tmp_path) == ["checkpoint-1.safetensors"]
    assert_same(newest(tmp_path), snapshot(1))


def test_a_killed_save_leaves_the_last_good_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, snapshot(1))
    (tmp_path / ".checkpoint-2.safetensors.123.tmp").write_bytes(b"half of")  # what SIGKILL leaves
    assert_same(newest(tmp_path), snapshot(1))
    save(tmp_path, snapshot(2))
    assert names(tmp_path) == ["checkpoint-1.safetensors", "checkpoint-2.safetensors"]

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path, snapshot(3))
    assert names(tmp_path) == ["checkpoint-1.safetensors", "checkpoint-2.safetensors"]


KILLED = """
import sys, torch
from saccade.pipeline.checkpoint.checkpoints import Snapshot, save
for step in range(int(sys.argv[2]), 1_000_000):
    save(sys.argv[1], Snapshot(step, {"w": torch.full((100_000,), float(step))}, {"step": step}))
    print(step, flush=True)
"""


def test_sigkill_at_any_moment_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    step = 1
    for delay in (0.003, 0.02, 0.05):
        command = [sys.executable, "-c", KILLED, str(tmp_path), str(step)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            reached = int(child.stdout.readline())
            time.sleep(delay)
            child.kill()
            reached = int(([reached, *child.stdout.read().split()])[-1])
        found = newest(tmp_path)
        assert found is not None
        assert found.step in (reached, reached + 1)  # + 1: renamed, and killed before it could say so
        assert found.facts["step"] == found.step
        assert torch.equal(found.tensors["w"], torch.full((100_000,), float(found.step)))
        step = found.step + 1


def test_the_file_is_on_the_disk_before_it_takes_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    real = {"fsync": os.fsync, "replace": os.replace}
    for name in real:
        monkeypatch.setattr(os, name, lambda *args, name=name: (calls.append(name), real[name](*args))[1])
    save(tmp_path, snapshot())
    assert calls == ["fsync", "replace", "fsync"]


def test_a_folder_that_is_gone_is_an_input_error(tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "run", ignore_errors=True)
    with pytest.raises(InputError) as error:
        save(tmp_path / "run", snapshot())
    one_line(error.value)


def test_load_into_copies_all_and_returns_equal_outputs() -> None:
    torch.manual_seed(0)
    source, target = (nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)) for _ in range(2))
    source[1].get_buffer("running_mean").fill_(0.5)
    wanted = source.state_dict()
    tensors = {f"model/{name}": tensor for name, tensor in wanted.items()} | {"ema/0.weight": torch.zeros(1)}
    load_into(target, tensors, "model")
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in target.state_dict().items())
    assert target[0].get_parameter("weight").requires_grad


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"model/weight": torch.zeros(4, 2)}, r"model/weight float32 \[4, 3\], found 'model/weight' float32 \[4, 2\]"),
        ({"model/weight": torch.zeros(4, 3).double()}, r"found 'model/weight' float64 \[4, 3\]"),
        ({"model/weight": None}, r"model/weight float32 \[4, 3\], found no tensor of that name"),
        ({"model/extra\n": torch.zeros(1)}, r"no tensor but Linear's, found 'model/extra\\n' float32 \[1\]"),
    ],
)
def test_load_into_refuses_another_network_and_changes_nothing(change: dict[str, Tensor | None], says: str) -> None:
    core = nn.Linear(3, 4)
    before = core.bias.clone()
    tensors = {"model/weight": torch.ones(4, 3), "model/bias": torch.ones(4), **change}
    with pytest.raises(InputError, match=says) as error:
        load_into(core, {name: tensor for name, tensor in tensors.items() if tensor is not None}, "model/")
    one_line(error.value)
    assert torch.equal(core.bias, before)
