"""Run folders: what is written comes back; another run, other files and damaged ones are refused in one line."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from saccade.baseline.config import Config
from saccade.errors import InputError
from saccade.images.config import ImageFacts
from saccade.pipeline.checkpoint.atomic_files import MAX_JSON_BYTES, lock, read_json, write_json
from saccade.pipeline.checkpoint.checkpoints import Snapshot, newest, save
from saccade.pipeline.checkpoint.run_folder import RunFolder, create, open_run
from saccade.pipeline.config import AnyRun, default_run
from saccade.pipeline.systems import spec

FACTS = ImageFacts(1, 28, 28, ("cat", "dog"))
FOUND = {"channels": 1, "height": 28, "width": 28, "classes": ["cat", "dog"]}


def run(**train: Any) -> AnyRun:
    default = default_run("baseline", spec("baseline"))
    return replace(default, model=Config(kind="fc", hidden=8), train=replace(default.train, **train))


def begin(path: Path, **train: Any) -> RunFolder:
    return create(path, run(**train), FACTS)


def refused(path: Path) -> str:
    with pytest.raises(InputError) as error:
        open_run(path)
    text = str(error.value)
    assert "\n" not in text
    assert text.startswith("expected ")
    return text


def rewrite(path: Path, **changes: Any) -> None:
    data = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps({**data, **changes}))


def test_a_run_comes_back(tmp_path: Path) -> None:
    made = begin(tmp_path / "new" / "run", epochs=3)
    assert open_run(tmp_path / "new" / "run") == made
    assert made.run.model == Config(kind="fc", hidden=8)
    assert made.provenance["versions"]["torch"] == torch.__version__
    assert made.provenance["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert made.provenance["command"] == [Path(sys.argv[0]).name, *sys.argv[1:]]
    commit = made.provenance["git_commit"]
    assert commit is None or len(commit.removesuffix("+changes")) == 40


def test_the_same_settings_resume_and_circumstances_may_change(tmp_path: Path) -> None:
    first = begin(tmp_path)
    save(tmp_path, Snapshot(5, {"model/w": torch.ones(2)}, {}))
    again = begin(tmp_path, threads=2, keep=5)
    assert (again.facts, again.provenance) == (first.facts, first.provenance)
    assert again.run.train.threads == 2
    found = newest(tmp_path)
    assert found is not None
    assert found.step == 5


def test_other_settings_are_named_with_both_values(tmp_path: Path) -> None:
    begin(tmp_path, epochs=3, seed=1)
    save(tmp_path, Snapshot(5, {"model/w": torch.ones(2)}, {}))
    with pytest.raises(InputError, match=r"train.epochs: 3, now 4; train.seed: 1, now 2; .*--fresh .*--out"):
        begin(tmp_path, epochs=4, seed=2)
    with pytest.raises(InputError, match=r"the data's classes: \('cat', 'dog'\), now \('cat', 'cow'\)"):
        create(tmp_path, run(epochs=3, seed=1), replace(FACTS, classes=("cat", "cow")))
    assert open_run(tmp_path).run == run(epochs=3, seed=1)


def test_fresh_begins_anew_and_keeps_pictures(tmp_path: Path) -> None:
    begin(tmp_path)
    save(tmp_path, Snapshot(5, {"model/w": torch.ones(2)}, {}))
    for name in ("metrics.json", "log.jsonl", "gaze.gif"):
        (tmp_path / name).write_text("old")
    create(tmp_path, run(epochs=9), FACTS, fresh=True)
    assert open_run(tmp_path).run.train.epochs == 9
    assert newest(tmp_path) is None
    assert sorted(file.name for file in tmp_path.iterdir()) == [".lock", "gaze.gif", "run.json"]


def test_a_folder_in_which_nothing_was_learned_is_free(tmp_path: Path) -> None:
    begin(tmp_path, epochs=3)
    (tmp_path / "log.jsonl").write_text("begun")
    begin(tmp_path, epochs=4)
    assert open_run(tmp_path).run.train.epochs == 4
    assert not (tmp_path / "log.jsonl").exists()


def test_fresh_refuses_the_run_of_another_system_and_names_what_it_would_remove(tmp_path: Path) -> None:
    begin(tmp_path)
    save(tmp_path, Snapshot(5, {"model/w": torch.ones(2)}, {}))
    (tmp_path / "log.jsonl").write_text("old")
    other = default_run("glimpse", spec("glimpse"))
    names = r"checkpoint-5\.safetensors, log\.jsonl; give another --out"
    with pytest.raises(InputError, match=rf"system glimpse in .*, found a run of the system 'baseline', .* {names}"):
        create(tmp_path, other, FACTS, fresh=True)
    assert newest(tmp_path) is not None
    assert (tmp_path / "log.jsonl").read_text() == "old"


@pytest.mark.parametrize("fresh", [False, True])
def test_a_folder_of_other_files_is_left_alone(tmp_path: Path, fresh: bool) -> None:
    (tmp_path / "checkpoint-1.safetensors").write_text("thesis")
    with pytest.raises(InputError, match="found other files in"):
        create(tmp_path, run(), FACTS, fresh=fresh)
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint-1.safetensors"]


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError):
            begin(path)


def test_fresh_never_removes_the_files_of_a_folder_with_a_foreign_run_json(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"another": "program"}')
    (tmp_path / "log.jsonl").write_text("precious")
    with pytest.raises(InputError, match="another program's"):
        create(tmp_path, run(), FACTS, fresh=True)
    assert (tmp_path / "log.jsonl").read_text() == "precious"


def test_fresh_replaces_a_run_of_another_version(tmp_path: Path) -> None:
    begin(tmp_path)
    rewrite(tmp_path, format=99, model={"gone": 1})
    made = create(tmp_path, run(), FACTS, fresh=True)
    assert open_run(tmp_path) == made


def test_what_is_no_run_folder_is_refused(tmp_path: Path) -> None:
    assert "no folder" in refused(tmp_path / "absent")
    assert "no run.json" in refused(tmp_path)
    (tmp_path / "run.json").mkdir()
    refused(tmp_path)


def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "run.json")
    assert "no file" in refused(tmp_path)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"3", b"\xff\xfe", b"[" * 100_000, b'{"format": 1}', b"1" * 5000])
def test_damaged_json_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "run.json").write_bytes(text)
    refused(tmp_path)


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    begin(tmp_path)
    whole = (tmp_path / "run.json").read_bytes().rstrip()
    for length in range(0, len(whole), 7):
        (tmp_path / "run.json").write_bytes(whole[:length])
        refused(tmp_path)


def test_an_oversized_run_json_is_refused_unread(tmp_path: Path) -> None:
    begin(tmp_path)
    with open(tmp_path / "run.json", "r+b") as file:
        file.truncate(1 << 40)
    assert f"at most {MAX_JSON_BYTES:,} bytes" in refused(tmp_path)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"format": 3}, "format 1 or 2 in .*found 3"),
        ({"format": None}, "format 1 or 2"),
        ({"format": True}, "format 1 or 2"),
        ({"format": [2]}, "format 1 or 2"),
        ({"surprise": 1}, "unknown key 'surprise'"),
        ({"system": "nothing"}, "a system of this Saccade: .*baseline.*, found 'nothing'"),
        ({"system": "../../evil"}, "a system"),
        ({"system": "pipeline"}, "a system"),
        ({"system": "antigravity"}, "a system"),
        ({"system": ["baseline"]}, "a system"),
        ({"model": {"kind": "fc", "depth": 3}}, "depth"),
        ({"train": {"epochs": "many"}}, "epochs"),
        ({"train": []}, "train"),
        ({"facts": FOUND | {"height": 0}}, "found 0 for .*facts.height"),
        ({"facts": FOUND | {"height": 1 << 40}}, "facts.height"),
        ({"facts": FOUND | {"height": "28"}}, "facts.height"),
        ({"facts": FOUND | {"classes": []}}, "facts.classes"),
        ({"facts": FOUND | {"classes": ["cat", 3]}}, "facts.classes"),
        ({"facts": FOUND | {"classes": "cat"}}, "facts.classes"),
        ({"facts": FOUND | {"classes": {"cat": 0}}}, "facts.classes"),
        ({"facts": FOUND | {"depth": 1}}, "channels, height, width, classes as the facts"),
        ({"facts": {"channels": 1, "height": 28, "width": 28}}, "channels, height, width, classes as the facts"),
        ({"facts": [1, 28, 28, ["cat", "dog"]]}, "the facts"),
        ({"facts": "none"}, "the facts"),
        ({"provenance": "none"}, "a table of provenance"),
    ],
)
def test_a_changed_run_json_is_refused(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    begin(tmp_path)
    rewrite(tmp_path, **changes)
    with pytest.raises(InputError, match=says):
        open_run(tmp_path)
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize("key", ["format", "system", "data", "model", "train", "facts", "provenance"])
def test_a_missing_key_is_refused(tmp_path: Path, key: str) -> None:
    begin(tmp_path)
    data = json.loads((tmp_path / "run.json").read_text())
    assert len(data) == 7
    del data[key]
    (tmp_path / "run.json").write_text(json.dumps(data))
    assert ("format 1 or 2" if key == "format" else f"no '{key}'") in refused(tmp_path)


HOLD = """
import sys, time
from saccade.pipeline.checkpoint.atomic_files import lock
with lock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def test_two_processes_on_one_folder(tmp_path: Path) -> None:
    begin(tmp_path)
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        busy = f"to be free, found process {other.pid} at work in it"
        with pytest.raises(InputError, match=busy) as error, lock(tmp_path):
            pass
        assert "\n" not in str(error.value)
        with pytest.raises(InputError, match="to be free"):
            begin(tmp_path)
        other.kill()
        other.wait()
    with lock(tmp_path):  # the system let go of it
        assert (tmp_path / ".lock").read_text() == f"{os.getpid()}\n"
    begin(tmp_path)


def test_write_json_is_strict_json_and_whole(tmp_path: Path) -> None:
    path = write_json(tmp_path / "metrics.json", {"error": float("nan"), "list": (1, float("inf")), "name": "é"})
    text = path.read_text(encoding="utf-8")
    assert json.loads(text) == {"error": None, "list": [1, None], "name": "é"}
    assert text.endswith("}\n")
    assert read_json(path, "metrics") == json.loads(text)
    with pytest.raises(TypeError):
        write_json(path, {"tensor": torch.ones(1)})
    assert path.read_text(encoding="utf-8") == text
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.json"]
