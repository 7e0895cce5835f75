"""Finishing pictures, neighbours, a judge, and what an evaluation writes: on networks that train in a second or two."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def half(tmp_path: Path) -> Path:
    """The upper half of a one, dark on light, 280 x 280."""
    pixels = np.full((280, 280), 250, np.uint8)
    pixels[40:140, 130:150] = 10
    Image.fromarray(pixels).save(tmp_path / "half.png")
    return tmp_path / "half.png"


def test_complete_writes_endings_and_says_how_well_the_given_part_is_kept(
    saccade: Any, drawn: Path, half: Path, tmp_path: Path
) -> None:
    film, strip = tmp_path / "endings.gif", tmp_path / "strip.png"
    words = ["draw", "complete", drawn, half, "--count", "3", "--out", film, "--strip", strip]
    found = saccade(*words, "--json").json()
    assert found["wrote"] == [str(film), str(strip)]
    assert found["given_pixels"] == 14 * 28
    assert len(found["endings"]) == 3
    for ending in found["endings"]:
        assert ending["class"] is None
        assert 0 <= ending["agreement_percent"] <= 100
        nats = ending["nats_per_given_pixel"] * found["given_pixels"]
        assert ending["bound_nats"] == pytest.approx(nats + ending["kl_nats"], rel=1e-5)
    assert found["bound_nats"] < found["amortised_bound_nats"]
    with Image.open(film) as image:
        assert getattr(image, "n_frames", 1) > 4
        assert image.width > 2.5 * image.height  # side by side
    first = film.read_bytes()
    answer = saccade(*words)
    assert film.read_bytes() == first
    assert f"wrote {film}" in answer.out and "392 given pixels" in answer.out
    assert saccade(*words, "--seed", "1").code == 0
    assert film.read_bytes() != first


def test_complete_with_labels_names_the_classes_that_it_ended_in(
    saccade: Any, labelled: Path, half: Path, tmp_path: Path
) -> None:
    film = tmp_path / "endings.webp"
    words = ["draw", "complete", labelled, half, "--keep", "top", "--count", "1", "--out", film]
    found = saccade(*words, "--json").json()
    assert found["endings"][0]["class"] in "0123456789"
    assert film.exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere.png"], "a picture at nowhere.png, found no such file"),
        (["run.json"], "a picture in run.json"),
        (["HALF", "--mask", "wide.png"], "a mask of the picture's size, 280 x 280 pixels, found 30 x 20 in wide.png"),
        (["HALF", "--mask", "black.png"], "some pixels that are given and some that are not, found none"),
        (["HALF", "--mask", "nowhere.png"], "a picture at nowhere.png, found no such file"),
        (["HALF", "--mask", "black.png", "--keep", "top"], "one of --mask and --keep, found both"),
        (["HALF", "--keep", "middle"], "'middle' is not one of 'top', 'bottom', 'left', 'right'"),
        (["HALF", "--keep", "bottom"], "found no ink"),
        (["wide.png", "--keep", "top"], "a picture of 28 x 28 pixels, or a larger one with that aspect ratio"),
        (["black.png"], "found no ink"),
        (["HALF", "--count", "0"], "'--count': Input should be greater than or equal to 1"),
        (["HALF", "--out", "endings.avi"], "a file name that ends in one of"),
        (["HALF", "--strip", "strip.gif"], "a file name that ends in .png"),
        (["HALF", "--out", "nowhere/endings.gif"], "a folder that is there, found none at nowhere"),
    ],
)
def test_complete_refused(
    refused: Any, drawn: Path, half: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], says: str
) -> None:
    folder = half.parent
    monkeypatch.chdir(folder)
    Image.new("L", (30, 20), 255).save("wide.png")
    Image.new("L", (280, 280), 0).save("black.png")
    Path("run.json").write_text((drawn / "run.json").read_text())
    before = sorted(folder.iterdir())
    assert says in refused("draw", "complete", drawn, *(str(half) if word == "HALF" else word for word in words))
    assert sorted(folder.iterdir()) == before


def test_neighbours_of_what_was_generated(saccade: Any, drawn: Path, tmp_path: Path) -> None:
    sheet, out = tmp_path / "neighbours.png", tmp_path / "sheet.png"
    words = ["draw", "generate", drawn, "--count", "6", "--neighbours", sheet, "--out", out]
    found = saccade(*words, "--json").json()
    assert found["wrote"] == [str(sheet), str(out)]
    pairs = found["neighbours"]["nearest"]
    assert len(pairs) == 6
    assert all(0 <= pair["training_image"] < 1377 and pair["distance"] > 0 for pair in pairs)
    assert found["neighbours"]["held_out_median_distance"] > 0
    answer = saccade(*words)
    assert "median distance to the nearest training image: " in answer.out


def test_neighbours_need_the_data_and_a_png(refused: Any, drawn: Path, tmp_path: Path) -> None:
    words = ["draw", "generate", drawn, "--out", tmp_path / "sheet.png", "--neighbours"]
    assert "a file name that ends in .png" in refused(*words, tmp_path / "neighbours.gif")
    assert not any(tmp_path.iterdir())


def test_a_judge_reads_what_is_drawn_by_class(
    saccade: Any, labelled: Path, classifier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["draw", "eval", labelled, "--samples", "2", "--judge", classifier, "--judged", "7"]
    found = saccade(*words, "--json").json()
    assert found == json.loads((labelled / "metrics.json").read_text())
    assert found["judged"]["samples_per_class"] == 7 and found["judged"]["by"] == str(classifier)
    matrix = np.array(found["judged_confusion"])
    assert matrix.sum(1).tolist() == [7] * 10
    by_class = found["judged_agreement_percent_per_class"]
    assert [by_class[str(k)] for k in range(10)] == pytest.approx((100 * matrix.diagonal() / 7).tolist(), abs=1e-3)
    assert found["judged"]["agreement_percent"] == pytest.approx(100 * matrix.trace() / 70, abs=1e-3)
    assert found["judged"]["held_out_agreement_percent"] > 80  # it reads real digits
    assert saccade(*words[:-4], "--json").json().get("judged") is None
    assert "judged confusion" in saccade(*words).out


@pytest.mark.parametrize(
    ("run", "judge", "says"),
    [
        ("drawn", "classifier", "a network that was trained with labels, found one without"),
        ("labelled", "drawn", "the run of a classifier, found a run of draw"),
        ("labelled", "nowhere", "a run folder, found no folder nowhere"),
        ("labelled", "colour", "images and classes that are drawn, found one of other data (channels: 1, now 3) in"),
    ],
)
def test_no_judge(
    refused: Any, request: pytest.FixtureRequest, tmp_path: Path, run: str, judge: str, says: str
) -> None:
    path = request.getfixturevalue(run)
    if judge == "colour":  # as if it had been trained on coloured pictures
        import torch

        from saccade.images.config import ImageFacts
        from saccade.pipeline import systems
        from saccade.pipeline.checkpoint import checkpoints as checkpoint
        from saccade.pipeline.checkpoint.run_folder import create
        from saccade.pipeline.config import default_run
        from saccade.pipeline.contract import load_system

        its_run, facts = default_run("baseline", systems.spec("baseline")), ImageFacts(3, 28, 28, tuple("0123456789"))
        core = load_system("baseline").build(its_run.model, facts)
        other = tmp_path / "colour"
        create(other, its_run, facts)
        tensors = {f"model/{name}": tensor for name, tensor in core.state_dict().items()}
        assert all(isinstance(tensor, torch.Tensor) for tensor in tensors.values())
        checkpoint.save(other, checkpoint.Snapshot(1, tensors, {}))
    else:
        other = Path(judge) if judge == "nowhere" else request.getfixturevalue(judge)
    assert says in refused("draw", "eval", path, "--samples", "1", "--judge", other)


def test_an_evaluation_writes_the_whole_metrics_and_the_chart(saccade: Any, drawn: Path) -> None:
    chart = drawn / "kl-per-step.png"
    chart.unlink(missing_ok=True)
    answer = saccade("draw", "eval", drawn, "--samples", "3")
    assert f"wrote {chart}" in answer.out and "reconstruction" in answer.out and "kl nats" in answer.out
    with Image.open(chart) as image:
        assert image.size == (960, 480)
        colours = {colour for _, colour in image.convert("RGB").getcolors(1 << 20) or []}
    assert {(250, 248, 244), (31, 95, 168)} <= colours
    found = json.loads((drawn / "metrics.json").read_text())
    kinds = {
        "bound_nats": float, "reconstruction_nats": float, "kl_nats": float, "kl_nats_per_step": list,
        "importance_weighted_nats": dict, "dataset": str, "seed": int,
    }  # fmt: skip
    assert {name: type(found.get(name)) for name in kinds} == kinds
    assert set(found["importance_weighted_nats"]) == {"1", "3"}
    assert (found["dataset"], found["seed"], found["split"], found["examples"]) == ("digits", 0, "test", 400)
