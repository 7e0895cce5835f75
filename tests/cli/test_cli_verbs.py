"""Every verb of every system, on a network that trains in a second."""

import importlib.metadata
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

import saccade
from saccade.pipeline.checkpoint import checkpoints as checkpoint
from saccade.pipeline.train import loop as train

ROOT = Path(saccade.__file__).parents[1]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but the lock, with its bytes."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of the finished run, to change at will."""
    return Path(shutil.copytree(trained, tmp_path / "ram"))


def test_the_version_is_the_installed_one(saccade: Any) -> None:
    answer = saccade("--version")
    assert (answer.code, answer.out) == (0, f"saccade {importlib.metadata.version('saccade')}\n")


def test_train_writes_a_run_folder_and_says_so(saccade: Any, small: list[str], tmp_path: Path) -> None:
    out = tmp_path / "runs" / "new"
    answer = saccade("glimpse", "train", *small, "--epochs", "2", "--out", out)
    assert answer.code == 0
    written = {path.name for path in out.iterdir() if not path.name.startswith(".")}
    assert {"run.json", "log.jsonl"} < written
    assert len(written) == 3
    for name in written:
        assert f"wrote {out / name}" in answer.out
    assert f"next: saccade glimpse eval {out}" in answer.out
    last = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()][-1]
    assert last["step"] == last["steps"] > 0
    assert {"loss", "terms", "health", "examples_per_second", "learning_rate"} <= last.keys()


def test_train_json_is_one_object_and_eval_is_in_it(saccade: Any, small: list[str], tmp_path: Path) -> None:
    out = tmp_path / "new"
    answer = saccade("glimpse", "train", *small, "--epochs", "1", "--out", out, "--eval", "--json")
    result = answer.json()
    assert result["run"] == str(out)
    assert result["metrics"] == json.loads((out / "metrics.json").read_text())
    assert str(out / "metrics.json") in result["wrote"]
    assert "finished" in answer.err


def test_the_same_command_on_a_finished_run_changes_nothing(saccade: Any, small: list[str], run: Path) -> None:
    before = contents(run)
    words = ["glimpse", "train", *small, "--epochs", "4", "--validation", "100", "--out", run]
    answer = saccade(*words)
    assert answer.code == 0
    assert "is finished already; --fresh starts again" in answer.err
    assert contents(run) == before
    assert saccade(*words, "--json").json()["wrote"] == []


def test_other_settings_in_the_same_folder_are_refused_by_name(refused: Any, small: list[str], run: Path) -> None:
    before = contents(run)
    said = refused("glimpse", "train", *small, "--epochs", "5", "--validation", "100", "--core", "gru", "--out", run)
    assert "train.epochs: 4, now 5" in said
    assert "model.core: 'rnn', now 'gru'" in said
    assert contents(run) == before


def test_fresh_begins_anew(saccade: Any, small: list[str], run: Path) -> None:
    answer = saccade("glimpse", "train", *small, "--epochs", "1", "--out", run, "--fresh", "--json")
    result = answer.json()
    assert result["step"] == result["steps"]
    assert json.loads((run / "run.json").read_text())["train"]["epochs"] == 1
    assert len(list(run.glob("checkpoint-*"))) == 1


def test_an_interrupted_training_says_how_to_go_on_and_ends_as_an_unbroken_one(
    saccade: Any, small: list[str], trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "ram"
    words = ["glimpse", "train", *small, "--epochs", "4", "--validation", "100", "--out", out]
    whole = train.train

    def stopped(*arguments: Any, **options: Any) -> Any:
        for event in whole(*arguments, **options):
            yield event
            if isinstance(event, checkpoint.Snapshot):
                raise KeyboardInterrupt

    monkeypatch.setattr(train, "train", stopped)
    answer = saccade(*words, "--save-every-seconds", "0.001")
    assert answer.code == 130
    step = int(next(out.glob("checkpoint-*")).stem.split("-")[1])
    assert f"stopped; the same command goes on from step {step}" in answer.err
    assert "Traceback" not in answer.err
    monkeypatch.undo()
    answer = saccade(*words)
    assert answer.code == 0
    assert f"a checkpoint of step {step}: going on from there" in answer.err
    unbroken, broken = checkpoint.newest(trained), checkpoint.newest(out)
    assert unbroken is not None
    assert broken is not None
    assert unbroken.step == broken.step > step
    assert all((unbroken.tensors[name] == broken.tensors[name]).all() for name in unbroken.tensors)


def test_stopped_before_the_first_checkpoint(
    saccade: Any, small: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*arguments: Any, **options: Any) -> Any:
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(train, "train", stopped)
    answer = saccade("glimpse", "train", *small, "--out", tmp_path / "ram")
    assert answer.code == 130
    assert "nothing was saved yet" in answer.err


def test_eval_writes_and_shows_the_metrics(saccade: Any, run: Path) -> None:
    answer = saccade("glimpse", "eval", run)
    assert answer.code == 0
    metrics = json.loads((run / "metrics.json").read_text())
    assert {"error_percent", "controls", "glimpses", "dataset", "seed"} <= metrics.keys()
    assert {"mean_policy", "one_rollout", "averaged", "rollouts"} <= metrics["error_percent"].keys()
    assert {"fixed_scan", "random", "centre"} <= metrics["controls"].keys()
    for number in metrics["error_percent"].values():
        assert (f"{number:.2f}" if isinstance(number, float) else str(number)) in answer.out
    assert "confusion" in answer.out
    assert f"wrote {run / 'metrics.json'}" in answer.out
    assert saccade("glimpse", "eval", run, "--json").json() == metrics


def test_eval_on_the_validation_split_leaves_the_test_metrics_alone(saccade: Any, run: Path) -> None:
    metrics = saccade("glimpse", "eval", run, "--split", "validation", "--json").json()
    assert (metrics["split"], metrics["examples"]) == ("validation", 100)
    assert not (run / "metrics.json").exists()
    assert (run / "metrics-validation.json").exists()


def test_gif_of_one_image(saccade: Any, run: Path, tmp_path: Path) -> None:
    strip = tmp_path / "strip.png"
    answer = saccade("glimpse", "gif", run, "--index", "7", "--strip", strip)
    assert answer.code == 0
    film = run / "gaze-7.gif"
    assert f"wrote {film}" in answer.out
    assert f"wrote {strip}" in answer.out
    with Image.open(film) as image, Image.open(strip) as sheet:
        assert getattr(image, "n_frames", 1) > 3
        assert sheet.width > image.width


def test_gif_of_several_images_under_a_control(saccade: Any, run: Path, tmp_path: Path) -> None:
    out = tmp_path / "wall.webp"
    words = ["glimpse", "gif", run, "--index", "5", "--count", "3", "--condition", "centre", "--out", out, "--json"]
    result = saccade(*words).json()
    assert result["wrote"] == [str(out)]
    assert [answer["image"] for answer in result["answers"]] == [5, 6, 7]
    assert all(answer["gaze"] == [[0, 0]] * 3 for answer in result["answers"])
    assert all(answer["label"] in "0123456789" and answer["truth"] in "0123456789" for answer in result["answers"])
    with Image.open(out) as image:
        assert image.format == "WEBP"


def test_read_ones_own_images(saccade: Any, trained: Path, digit: Path, tmp_path: Path) -> None:
    film = tmp_path / "gaze.gif"
    answer = saccade("glimpse", "read", digit, digit, "--run", trained, "--gif", film)
    assert answer.code == 0
    assert answer.out.count("one.png") == 2
    assert f"wrote {film}" in answer.out
    assert film.exists()
    result = saccade("glimpse", "read", digit, "--run", trained, "--json").json()
    (one,) = result["answers"]
    assert one["truth"] is None
    assert sum(one["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert one["label"] == max(one["probabilities"], key=one["probabilities"].__getitem__)
    assert len(one["gaze"]) == 3


def test_read_several_digits_and_what_is_none(saccade: Any, trained: Path, tmp_path: Path) -> None:
    page, disc = Image.new("L", (200, 120), 255), Image.new("L", (120, 120), 255)
    ImageDraw.Draw(page).rectangle((50, 30, 60, 90), fill=0)
    ImageDraw.Draw(page).rectangle((130, 30, 140, 90), fill=0)
    ImageDraw.Draw(disc).ellipse((30, 30, 90, 90), fill=0)
    page.save(tmp_path / "two.png")
    disc.save(tmp_path / "disc.png")
    words = ["glimpse", "read", tmp_path / "two.png", tmp_path / "disc.png", "--run", trained]
    answers = saccade(*words, "--json").json()["answers"]
    assert [(Path(a["image"]).name, a["digit"], a["digits"]) for a in answers] == [
        ("two.png", 1, 2),
        ("two.png", 2, 2),
        ("disc.png", 1, 1),
    ]
    assert answers[2]["doubt"] == "a filled shape"
    assert "doubt" in saccade(*words).out
    assert len(saccade(*words, "--as-is", "--json").json()["answers"]) == 2


def test_baselines_pass_through_the_same_verbs(saccade: Any, tmp_path: Path) -> None:
    out = tmp_path / "fc"
    words = ["--kind", "fc", "--hidden", "16", "--epochs", "2", "--batch-size", "128", "--threads", "1"]
    assert saccade("baseline", "train", *words, "--out", out).code == 0
    metrics = saccade("baseline", "eval", out, "--json").json()
    assert metrics == json.loads((out / "metrics.json").read_text())
    assert metrics["system"] == "baseline"
    assert "error_percent" in metrics
    assert saccade("baseline", "eval", out).code == 0


def test_tensorboard_gets_scalars_and_pictures(saccade: Any, small: list[str], tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    out = tmp_path / "ram"
    answer = saccade("glimpse", "train", *small, "--epochs", "1", "--out", out, "--tensorboard")
    assert answer.code == 0
    assert f"wrote {out / 'tensorboard'}" in answer.out
    events = EventAccumulator(str(out / "tensorboard")).Reload()
    assert {"loss", "learning_rate"} <= set(events.Tags()["scalars"])
    assert any(name.startswith("health/") for name in events.Tags()["scalars"])
    assert events.Tags()["images"] == ["at work"]


def test_mnist_trains_and_evaluates(saccade: Any, small: list[str], mnist: Path, tmp_path: Path) -> None:
    out = tmp_path / "ram"
    words = ["--dataset", "mnist", "--data-dir", mnist, "--epochs", "1", "--batch-size", "512", "--out", out]
    assert saccade("glimpse", "train", *small[:6], "--threads", "1", *words).code == 0
    metrics = saccade("glimpse", "eval", out, "--json").json()
    assert (metrics["dataset"], metrics["examples"]) == ("mnist", 10_000)
    assert metrics["error_percent"]["mean_policy"] < 60


def shell(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True, timeout=120, cwd=ROOT)


def test_python_cli_py_is_the_same_command(trained: Path) -> None:
    done = shell("cli.py", "glimpse", "eval", trained / "nowhere")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("saccade: expected a run folder, found no folder")
    assert done.stderr.count("\n") == 1


def test_help_imports_neither_torch_nor_numpy() -> None:
    look = "import sys, cli; print([name for name in ('torch', 'numpy', 'accelerate') if name in sys.modules])"
    assert shell("-c", look).stdout == "[]\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "launcher", [["torch.distributed.run"], ["accelerate.commands.launch", "--cpu", "--num_machines", "1"]]
)
def test_two_processes_train_and_one_writes(small: list[str], tmp_path: Path, launcher: list[str]) -> None:
    processes = "--nproc_per_node" if launcher[0].startswith("torch") else "--num_processes"
    words = ["glimpse", "train", *small, "--epochs", "2", "--out", tmp_path / "ram", "--json"]
    done = shell("-m", *launcher, processes, "2", "cli.py", *words)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["step"] > 0
    assert checkpoint.newest(tmp_path / "ram") is not None


@pytest.mark.bench
def test_help_comes_at_once() -> None:
    times = []
    for _ in range(5):
        began = time.perf_counter()
        assert shell("cli.py", "--help").returncode == 0
        times.append(time.perf_counter() - began)
    print(f"--help: {min(times):.2f} s at best, {max(times):.2f} s at worst")
    assert min(times) < 0.5
