"""A disk that is full, a newest checkpoint that is damaged, a folder that is in use: as the command meets them."""

import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from saccade.pipeline.checkpoint import checkpoints as checkpoint
from saccade.pipeline.checkpoint.atomic_files import lock


@pytest.fixture
def half(words: Any, run: Any, tmp_path: Path) -> tuple[list[str], Path, Path]:
    """The command of a training, its run folder as it was half way, and the one of the unbroken training."""
    command = words("glimpse", tmp_path / "run", "--epochs", "2", "--save-every-seconds", "0.0001", "--keep", "100")
    assert run(*command)[0] == 0
    unbroken = Path(shutil.copytree(tmp_path / "run", tmp_path / "unbroken"))
    for step in range(11, 21):
        (tmp_path / "run" / f"checkpoint-{step}.safetensors").unlink()
    return command, tmp_path / "run", unbroken


def lines(said: str) -> list[str]:
    return [line for line in said.splitlines() if line.startswith("saccade: ")]


def test_a_file_that_may_not_grow_leaves_the_last_good_one(half: Any, run: Any, last: Any) -> None:
    command, folder, unbroken = half
    good = last(folder)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))  # the log fits, a checkpoint does not
    try:
        code, said = run(*command)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert code == 2
    assert len(lines(said)) == 1 and "expected room for" in said and "what was saved before is whole" in said
    assert last(folder) == good
    assert not list(folder.glob(".checkpoint*"))
    assert run(*command)[0] == 0
    assert last(folder) == last(unbroken)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of half a megabyte."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a file system")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_leaves_the_last_good_one(small_disk: Path, words: Any, run: Any, last: Any) -> None:
    folder = small_disk / "run"
    command = words("glimpse", folder, "--epochs", "2", "--save-every-seconds", "0.0001", "--keep", "100")
    code, said = run(*command)
    assert code == 2
    assert len(lines(said)) == 1 and "No space left on device" in said and "room for" in said
    snapshot = checkpoint.newest(folder)
    assert snapshot is not None and 0 < snapshot.step < 20
    assert not list(folder.glob(".checkpoint*"))


def test_a_damaged_newest_is_reported_and_the_one_before_leads_to_the_same_end(
    half: Any, run: Any, last: Any, caplog: pytest.LogCaptureFixture
) -> None:
    command, folder, unbroken = half
    for step, damage in ((10, lambda data: data[:-5]), (9, lambda data: data[:-40] + b"\1" + data[-39:])):
        path = folder / f"checkpoint-{step}.safetensors"
        path.write_bytes(damage(path.read_bytes()))
    code, said = run(*command)
    assert code == 0
    assert f"{folder} has a checkpoint of step 8: going on from there" in said
    assert ["checkpoint-10" in caplog.messages[0], "checkpoint-9" in caplog.messages[1]] == [True, True]
    assert last(folder) == last(unbroken)


def test_a_second_process_is_refused(half: Any, run: Any, last: Any) -> None:
    command, folder, _ = half
    good = last(folder)
    with lock(folder):
        code, said = run(*command)
    assert code == 2
    assert len(lines(said)) == 1 and "to be free, found process" in said
    assert last(folder) == good
