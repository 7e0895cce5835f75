"""Networks that come with Saccade: found by name by every verb, never written to, made by one command."""

import json
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
from PIL import Image

import saccade
from saccade.draw.commands import DEFAULT, DEFAULT_LABELLED
from saccade.images.digits import load_digits
from saccade.pipeline.checkpoint import checkpoints as checkpoint
from saccade.pipeline.checkpoint import locate
from saccade.pipeline.checkpoint.run_folder import open_run
from saccade.shipped import catalogue, publish

ROOT = Path(saccade.__file__).parents[1]
ABOUT = ["--about", "A network for tests."]
HELD_OUT = {
    "pendigits": 3_498,
    "npz:omniglot.npz": 1_000,
    "grid:grid/s1_mouth.npz": 720,
    "joints:msr_action3d/msr_action3d.npz": 275,
    "lines:multi30k": 2_461,
    "flickr8k": 1_000,
    "mixed": 500,
    "moving": 1_000,
}
"""Test examples of the datasets that have not 10,000."""

SENTENCES = {"frames-grid": 120}
"""Networks whose test examples are whole sentences of such a dataset."""

FILES = {"run.json", "weights.safetensors", "metrics.json", "curve.jsonl", "card.md"}


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def models(saccade: Any, measured: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shipped networks, as if the tiny glimpse run were the only one: `ram-tiny`."""
    folder = place.parent / "models"
    answer = saccade("models", "add", measured, "ram-tiny", *ABOUT, "--bad-at", "Everything.", "--into", folder)
    assert answer.code == 0, answer
    assert {f"wrote {folder / 'ram-tiny' / file}" for file in FILES} == set(answer.out.splitlines())
    for module in (locate, catalogue, publish):
        monkeypatch.setattr(module, "NETWORKS", folder)
    return folder


def test_add_keeps_what_is_used_and_says_what_it_is(models: Path, measured: Path) -> None:
    folder, run = models / "ram-tiny", json.loads((measured / "run.json").read_text())
    assert {path.name for path in folder.iterdir()} == FILES
    assert not list(models.glob(".*"))
    tensors = safetensors.torch.load_file(folder / "weights.safetensors")
    snapshot = checkpoint.newest(measured)
    assert snapshot is not None
    expected = {name for name in snapshot.tensors if name.startswith("model/")}
    assert tensors.keys() == expected
    assert all((tensors[name] == snapshot.tensors[name]).all() for name in expected)
    assert json.loads((folder / "metrics.json").read_text()) == json.loads((measured / "metrics.json").read_text())
    kept = json.loads((folder / "run.json").read_text())
    assert kept["provenance"]["git_commit"] == run["provenance"]["git_commit"]
    assert (kept["format"], kept["model"], kept["facts"]) == (2, run["model"], run["facts"])
    card = (folder / "card.md").read_text()
    error = json.loads((folder / "metrics.json").read_text())["error_percent"]["mean_policy"]
    parts = ["# ram-tiny", "A network for tests.", f"{error:.4g}", "dataset digits, validation 100", "- Everything."]
    for part in [*parts, "worst classes", "4 epochs", "glimpses = 3", "made to look elsewhere"]:
        assert part in card
    curve = [json.loads(line) for line in (folder / "curve.jsonl").read_text().splitlines()]
    assert curve[-1]["step"] == snapshot.step
    assert [event["step"] for event in curve] == sorted({event["step"] for event in curve})


def test_nothing_of_the_machine_is_kept(saccade: Any, measured: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(measured, tmp_path / "run"))
    text = json.loads((run / "run.json").read_text())
    text["data"]["data_dir"] = "/secret/data"
    text["provenance"]["command"] = [
        "/secret/cli.py",
        "glimpse",
        "train",
        "--out=/secret/runs/a",
        "--data-dir",
        "/secret/d",
    ]
    text["provenance"]["command"] += ["--config", "/secret/place/experiments/a.toml", "--eval", "--seed", "0"]
    (run / "run.json").write_text(json.dumps(text))
    assert saccade("models", "add", run, "a", *ABOUT, "--into", tmp_path / "models").code == 0
    for name in FILES - {"weights.safetensors"}:
        assert "secret" not in (tmp_path / "models" / "a" / name).read_text()
    assert (
        "\nsaccade glimpse train --config experiments/a.toml --seed 0\n" in (tmp_path / "models/a/card.md").read_text()
    )


def test_the_averaged_weights_are_the_ones_that_ship(saccade: Any, drawn: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(drawn, tmp_path / "run"))
    assert saccade("draw", "eval", run, "--samples", "1").code == 0
    assert saccade("models", "add", run, "draw-tiny", *ABOUT, "--into", tmp_path).code == 0
    snapshot = checkpoint.newest(run)
    assert snapshot is not None
    tensors = safetensors.torch.load_file(tmp_path / "draw-tiny" / "weights.safetensors")
    assert all(
        (tensors[f"model/{n.removeprefix('ema/')}"] == t).all() for n, t in snapshot.tensors.items() if "ema/" in n
    )
    assert any((tensors[n] != snapshot.tensors[n]).any() for n in tensors)
    sheets = []
    for path, name in ((run, "a.png"), (tmp_path / "draw-tiny", "b.png")):
        assert saccade("draw", "generate", path, "--count", "4", "--out", tmp_path / name).code == 0
        sheets.append((tmp_path / name).read_bytes())
    assert sheets[0] == sheets[1]


def test_a_shipped_network_that_is_measured_anew_keeps_all_but_its_metrics(saccade: Any, models: Path) -> None:
    folder, before = models / "ram-tiny", contents(models / "ram-tiny")
    again = ["models", "add", "ram-tiny", "ram-tiny", *ABOUT, "--bad-at", "Everything.", "--into", models, "--replace"]
    refusal = saccade(*again)
    assert refusal.code == 2
    assert "expected the metrics.json of an evaluation, found none in runs/models/ram-tiny" in refusal.err
    assert saccade("glimpse", "eval", "ram-tiny").code == 0
    measured = locate.RESULTS / "ram-tiny" / "metrics.json"
    metrics = json.loads(measured.read_text()) | {"examples": 123}
    measured.write_text(json.dumps(metrics))
    assert saccade(*again).code == 0
    after = contents(folder)
    assert {name for name in FILES if after[name] != before[name]} <= {"metrics.json", "card.md"}
    assert json.loads(after["metrics.json"]) == metrics
    assert after["card.md"] == before["card.md"].replace(b"400", b"123")


def test_models_lists_them(saccade: Any, models: Path) -> None:
    answer = saccade("models")
    assert answer.code == 0
    assert "ram-tiny" in answer.out and "A network for tests." in answer.out and str(models / "ram-tiny") in answer.out
    (one,) = saccade("models", "--json").json()["models"]
    error = json.loads((models / "ram-tiny" / "metrics.json").read_text())["error_percent"]["mean_policy"]
    assert (one["name"], one["system"], one["headline"]) == ("ram-tiny", "glimpse", {"error_percent": error})
    assert one["bytes"] == sum(map(len, contents(models / "ram-tiny").values()))


def test_every_verb_takes_the_name_and_none_writes_into_the_package(
    saccade: Any, models: Path, place: Path, digit: Path, small: list[str]
) -> None:
    before = contents(models)
    answer = saccade("glimpse", "eval", "ram-tiny")
    assert f"wrote {Path('runs/models/ram-tiny/metrics.json')}" in answer.out
    metrics = json.loads((place / "runs/models/ram-tiny/metrics.json").read_text())
    assert metrics == json.loads((models / "ram-tiny" / "metrics.json").read_text())
    assert saccade("glimpse", "gif", "ram-tiny", "--index", "3").code == 0
    assert (place / "runs/models/ram-tiny/gaze-3.gif").exists()
    assert saccade("glimpse", "read", digit, "--run", "ram-tiny").code == 0
    words = ["--validation", "100", "--epochs", "1", "--learning-rate", "1e-9", "--start-from", "ram-tiny"]
    answer = saccade("glimpse", "train", *small, *words, "--out", "more", "--eval", "--json")
    assert answer.json()["metrics"]["error_percent"]["mean_policy"] == metrics["error_percent"]["mean_policy"]
    assert contents(models) == before


def test_a_card_names_the_runs_before_though_their_folders_are_gone(
    saccade: Any, models: Path, place: Path, small: list[str]
) -> None:
    words = ["--epochs", "1", "--start-from", "ram-tiny", "--eval", "--out"]
    assert saccade("glimpse", "train", *small, *words, "second").code == 0
    assert saccade("models", "add", "second", "ram-second", *ABOUT, "--into", place).code == 0
    first, second = (json.loads((at / "run.json").read_text()) for at in (models / "ram-tiny", place / "ram-second"))
    shutil.rmtree(models / "ram-tiny")
    shutil.copytree("ram-second", models / "ram-tiny")  # as --replace does
    assert saccade("glimpse", "train", *small, *words, "third").code == 0
    assert saccade("models", "add", "third", "ram-third", *ABOUT, "--into", place).code == 0
    made_by = (place / "ram-third" / "card.md").read_text().split("```")[1].strip().splitlines()
    assert made_by[:2] == [shlex.join(run["provenance"]["command"]) for run in (first, second)]
    assert len(made_by) == 3


def test_a_folder_of_that_name_goes_before_it(saccade: Any, refused: Any, models: Path, drawn: Path) -> None:
    shutil.copytree(drawn, "ram-tiny")
    assert "use `saccade draw`" in refused("glimpse", "eval", "ram-tiny")
    shutil.rmtree("ram-tiny")
    Path("ram-tiny").mkdir()
    assert "found no run.json in ram-tiny" in refused("glimpse", "eval", "ram-tiny")
    Path("ram-tiny").rmdir()
    assert saccade("glimpse", "eval", "ram-tiny").code == 0


def test_names_that_are_none(refused: Any, models: Path, place: Path) -> None:
    assert "did you mean ram-tiny?" in refused("glimpse", "eval", "ram-tinny")
    assert "a name that `saccade models` lists" in refused("glimpse", "eval", "elsewhere")
    assert "no folder deep/ram-tiny" in refused("glimpse", "eval", "deep/ram-tiny")
    assert "use `saccade glimpse`" in refused("draw", "eval", "ram-tiny")
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Ram", "small letters, digits and hyphens"),
        ("../ram", "small letters"),
        ("ram-tiny", "which exists; give --repl"),
    ],
)
def test_names_that_cannot_be_added(refused: Any, models: Path, measured: Path, name: str, says: str) -> None:
    before = contents(models)
    assert says in refused("models", "add", measured, name, *ABOUT, "--into", models)
    assert contents(models) == before


def test_runs_that_cannot_be_added(
    saccade: Any, refused: Any, models: Path, measured: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(models)
    add = ["--into", models, *ABOUT]
    assert "the metrics.json of an evaluation, found none" in refused("models", "add", trained, "other", *add)
    run = Path(shutil.copytree(measured, models.parent / "run"))
    metrics = json.loads((run / "metrics.json").read_text())
    (run / "metrics.json").write_text(json.dumps(metrics | {"split": "validation"}))
    assert "metrics of the test images" in refused("models", "add", run, "other", *add)
    (run / "metrics.json").write_text(json.dumps(metrics | {"step": 1}))
    assert "found metrics of step 1" in refused("models", "add", run, "other", *add)
    (run / "metrics.json").write_text(json.dumps(metrics))
    snapshot = checkpoint.newest(run)
    assert snapshot is not None
    checkpoint.save(run, snapshot._replace(step=snapshot.step - 1))
    assert f"found step {snapshot.step - 1} of {snapshot.step}" in refused("models", "add", run, "other", *add)
    monkeypatch.setattr(publish, "MOST_BYTES", 1000)
    assert "at most 1,000 bytes of shipped networks, found" in refused("models", "add", measured, "other", *add)
    monkeypatch.setattr(publish, "MOST_BYTES", 1_000_000)
    monkeypatch.setattr(publish, "MOST_BYTES_OF_A_SYSTEM", 1000)
    assert "at most 1,000 bytes of shipped networks of glimpse" in refused("models", "add", measured, "other", *add)
    assert contents(models) == before
    monkeypatch.undo()
    assert (
        saccade("models", "add", measured, "ram-tiny", "--about", "Another.", "--into", models, "--replace").code == 0
    )
    assert "Another." in (models / "ram-tiny" / "card.md").read_text()


SHIPPED = locate.shipped_names()


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_network_is_whole(name: str) -> None:
    folder = locate.NETWORKS / name
    assert {path.name for path in folder.iterdir()} == FILES
    opened, snapshot = open_run(name), checkpoint.trained(folder)
    assert snapshot is not None
    assert all(tensor_name.startswith("model/") for tensor_name in snapshot.tensors)
    metrics, curve = json.loads((folder / "metrics.json").read_text()), (folder / "curve.jsonl").read_text()
    last = json.loads(curve.splitlines()[-1])
    assert last["step"] == opened.provenance.get("steps") == snapshot.step
    assert last["learning_rate"] < 0.05 * opened.run.train.learning_rate, "not annealed: it was stopped early"
    assert (metrics["split"], metrics["dataset"]) == ("test", opened.run.data.dataset)
    assert metrics["examples"] == SENTENCES.get(name, HELD_OUT.get(opened.run.data.dataset, 10_000))
    for file in FILES - {"weights.safetensors"}:
        text = (folder / file).read_text()
        assert not any(place in text for place in ("/home/", "/root/", "/tmp/", "/work/", "/Users/"))
    card = (folder / "card.md").read_text()
    for part in (
        f"# {name}\n",
        str(opened.provenance["git_commit"]),
        f"| seed | {opened.run.train.seed} |",
        "## What it is bad at",
    ):
        assert part in card


def test_they_are_small() -> None:
    assert catalogue.size(locate.NETWORKS) < publish.MOST_BYTES == 40_000_000
    assert publish.MOST_BYTES_OF_A_SYSTEM == 12_000_000
    sizes: dict[str, int] = {}
    for network in catalogue.listing():
        sizes[network["system"]] = sizes.get(network["system"], 0) + network["bytes"]
    assert max(sizes.values()) < publish.MOST_BYTES_OF_A_SYSTEM


def test_read_without_a_name_reads_digits(saccade: Any, place: Path) -> None:
    _, held_out = load_digits()
    files = []
    for index in range(40):  # as a person would give them: dark on light, larger than the network's
        pixels = 255 - held_out.pixels[index, 0].numpy()
        files.append(Path(f"digit-{index}.png"))
        Image.fromarray(pixels).resize((140, 140), Image.Resampling.BICUBIC).save(files[-1])
    answers = saccade("glimpse", "read", *files, "--json").json()["answers"]
    right = sum(answer["label"] == str(int(held_out.labels[i])) for i, answer in enumerate(answers))
    assert right >= 32, right  # another source of digits than MNIST: of 200 it reads 90%
    assert sorted(path.suffix for path in place.iterdir()) == [".png"] * 40


@pytest.mark.parametrize(("words", "default"), [([], DEFAULT), (["--text", "1984"], DEFAULT_LABELLED)])
def test_generate_without_a_name_draws(saccade: Any, place: Path, words: list[str], default: Path) -> None:
    if default.name not in SHIPPED:
        pytest.skip(f"{default} is not trained yet")
    answer = saccade("draw", "generate", *words)
    assert answer.code == 0, answer.err
    assert f"wrote {Path('runs/models', default, 'sheet.png')}" in answer.out


@pytest.mark.slow
def test_an_installed_wheel_has_them(tmp_path: Path, digit: Path) -> None:
    source = tmp_path / "source"
    ignored = shutil.ignore_patterns("runs", ".git", "*.egg-info", "build", "__pycache__", ".venv")
    shutil.copytree(ROOT, source, ignore=ignored)
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path, source]
    done = subprocess.run(list(map(str, build)), capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("saccade-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert {f"saccade/shipped/networks/{name}/{file}" for name in SHIPPED for file in FILES} <= set(
            archive.namelist()
        )
        archive.extractall(tmp_path / "site")
    words = [sys.executable, "-c", "import saccade.cli; saccade.cli.main()", "glimpse", "read", str(digit), "--json"]
    where = {"PYTHONPATH": str(tmp_path / "site"), "PATH": "", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, capture_output=True, text=True, timeout=250, cwd=tmp_path, env=where)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["answers"][0]["label"] == "1"
