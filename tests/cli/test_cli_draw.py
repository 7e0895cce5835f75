"""The verbs of DRAW, on networks that train in a second or two."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


def test_eval_writes_the_bound_with_its_parts(saccade: Any, drawn: Path) -> None:
    found = saccade("draw", "eval", drawn, "--split", "validation", "--samples", "12", "--json").json()
    assert found == json.loads((drawn / "metrics-validation.json").read_text())
    assert found["bound_nats"] == pytest.approx(found["reconstruction_nats"] + found["kl_nats"], abs=1e-6)
    assert found["kl_nats"] == pytest.approx(sum(found["kl_nats_per_step"]), abs=1e-6)
    assert len(found["kl_nats_per_step"]) == found["steps"] == 4
    weighted = found["importance_weighted_nats"]
    assert list(weighted) == ["1", "10", "12"]
    assert weighted["12"] < weighted["1"] + 1
    assert found["mean_bound_nats"].keys() == {"12"}
    assert weighted["12"] < found["mean_bound_nats"]["12"] == pytest.approx(found["bound_nats"], rel=0.03)
    assert {"dataset", "seed", "split", "examples", "parameters"} <= found.keys()


def test_generate_writes_the_same_sheet_for_the_same_seed(saccade: Any, drawn: Path, tmp_path: Path) -> None:
    sheets = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        out = tmp_path / f"{name}.png"
        assert saccade("draw", "generate", drawn, "--count", "5", "--seed", str(seed), "--out", out).code == 0
        sheets.append(out.read_bytes())
    assert sheets[0] == sheets[1] != sheets[2]


def test_a_film_of_drawing_and_a_strip(saccade: Any, drawn: Path, tmp_path: Path) -> None:
    film, strip = tmp_path / "film.gif", tmp_path / "strip.png"
    answer = saccade("draw", "gif", drawn, "--count", "4", "--out", film, "--strip", strip)
    assert f"wrote {film}" in answer.out and f"wrote {strip}" in answer.out
    with Image.open(film) as image:
        assert getattr(image, "n_frames", 1) > 4


@pytest.mark.parametrize("count", ["1", "2"])
def test_a_film_of_redrawing(saccade: Any, drawn: Path, tmp_path: Path, count: str) -> None:
    film = tmp_path / "film.webp"
    assert saccade("draw", "gif", drawn, "--reconstruct", "--index", "7", "--count", count, "--out", film).code == 0
    assert film.stat().st_size > 0


def test_a_text_is_written_class_by_class(saccade: Any, labelled: Path, tmp_path: Path) -> None:
    sheet, film = tmp_path / "1984.png", tmp_path / "1984.gif"
    answer = saccade("draw", "generate", labelled, "--text", "1984", "--out", sheet, "--gif", film)
    assert answer.code == 0
    with Image.open(sheet) as image:
        assert image.width > 3.5 * image.height  # one row of four
    assert film.exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["train", "--write", "29"], "a window no larger than the image, 28 x 28 pixels, found 29 filters"),
        (["train", "--steps", "0"], "a value greater than or equal to 1, found 0 for --steps"),
        (["generate", "RUN", "--text", "19"], "a network that was trained with labels"),
        (["generate", "LABELLED", "--text", "19x4"], "characters among 0123456789, found 'x' in '19x4'"),
        (["generate", "LABELLED", "--text", ""], "a text of one character or more"),
        (["generate", "RUN", "--out", "sheet.jpg"], "a file name that ends in .png"),
        (["gif", "RUN", "--reconstruct", "--index", "400"], "examples 0 to 399 of the test split"),
        (["gif", "RUN", "--out", "film.avi"], "a file name that ends in one of"),
        (["eval", "RUN", "--samples", "0"], "found 0 for --importance-samples"),
    ],
)
def test_refused(
    refused: Any,
    drawn: Path,
    labelled: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    paths = {"RUN": str(drawn), "LABELLED": str(labelled)}
    assert says in refused("draw", *(paths.get(word, word) for word in words))
    assert not any(tmp_path.iterdir())


def test_a_run_of_the_reader_is_not_drawn_from(refused: Any, trained: Path) -> None:
    assert "use `saccade glimpse`" in refused("draw", "generate", trained)


def test_resuming_a_drawing_network_ends_as_an_unbroken_one(
    saccade: Any, tiny: list[str], drawn: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again"
    assert saccade("draw", "train", *tiny, "--validation", "20", "--out", again).code == 0
    name = next(drawn.glob("checkpoint-*")).name
    assert (again / name).read_bytes() == (drawn / name).read_bytes()


def test_pairs_of_digits_are_learned_from(saccade: Any, tiny: list[str], tmp_path: Path) -> None:
    for stem in ("train", "t10k"):
        images, labels = np.full((20, 28, 28), 255, np.uint8), np.arange(20, dtype=np.uint8) % 10
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            header = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
            (tmp_path / f"{stem}-{kind}-ubyte").write_bytes(header + array.tobytes())
    words = [*tiny, "--batch-size", "10", "--dataset", "pairs", "--canvas", "40", "--labelled", "--data-dir", tmp_path]
    assert saccade("draw", "train", *words, "--out", tmp_path / "run").code == 0
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert {key: run["facts"][key] for key in ("channels", "height", "width")} == {
        "channels": 1,
        "height": 40,
        "width": 40,
    }
    assert len(run["facts"]["classes"]) == 55 and run["facts"]["classes"][-1] == "99"
    assert saccade("draw", "generate", tmp_path / "run", "--count", "2", "--out", tmp_path / "sheet.png").code == 0


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    """A folder of coloured discs and squares on dark grounds, 12 x 12 pixels."""
    generator = np.random.default_rng(0)
    y, x = np.mgrid[-5.5:6.5, -5.5:6.5]
    for kind, inside in (("disc", x**2 + y**2 < 16), ("square", np.maximum(abs(x), abs(y)) < 4)):
        (tmp_path / "shapes" / kind).mkdir(parents=True)
        for i in range(30):
            pixels = np.full((12, 12, 3), generator.integers(0, 60, 3), np.uint8)
            pixels[inside] = generator.integers(100, 256, 3)
            Image.fromarray(pixels).save(tmp_path / "shapes" / kind / f"{i}.png")
    return tmp_path / "shapes"


def test_a_folder_of_colour_images_is_learned_measured_and_drawn_in_colour(
    saccade: Any, tiny: list[str], shapes: Path, tmp_path: Path
) -> None:
    run, film, sheet = tmp_path / "run", tmp_path / "film.webp", tmp_path / "sheet.png"
    words = ["--dataset", f"folder:{shapes}", "--likelihood", "logistic", "--batch-size", "12", "--epochs", "10"]
    assert saccade("draw", "train", *tiny, *words, "--learning-rate", "2e-2", "--out", run).code == 0
    fresh = tmp_path / "fresh"
    assert saccade("draw", "train", *tiny, *words, "--learning-rate", "1e-9", "--out", fresh).code == 0
    found, before = (saccade("draw", "eval", folder, "--json").json() for folder in (run, fresh))
    assert found["bound_nats"] < before["bound_nats"] - 20
    assert found["bits_per_dimension"] == pytest.approx(found["bound_nats"] / (3 * 12 * 12 * np.log(2)))
    assert 0 < found["bits_per_dimension"] < 8  # what equally likely levels cost
    assert "bits per dimension" in saccade("draw", "eval", run).out
    assert saccade("draw", "generate", run, "--count", "2", "--out", sheet).code == 0
    assert saccade("draw", "gif", run, "--reconstruct", "--count", "2", "--out", film).code == 0
    with Image.open(sheet) as image:
        red, green, blue = np.asarray(image.convert("RGB"))[24:100, 24:100].reshape(-1, 3).T.astype(int)
        assert (abs(red - green) + abs(green - blue)).max() > 20
    with Image.open(film) as image:
        assert getattr(image, "n_frames", 1) > 4


def test_more_steps_go_on_from_fewer(saccade: Any, refused: Any, tiny: list[str], drawn: Path, tmp_path: Path) -> None:
    longer = tmp_path / "longer"
    words = ["draw", "train", *tiny, "--validation", "20", "--steps", "8", "--start-from", drawn]
    answer = saccade(*words, "--learning-rate", "1e-9", "--out", longer, "--json")
    assert answer.code == 0
    fresh = saccade(
        "draw", "train", *tiny, "--steps", "8", "--learning-rate", "1e-9", "--out", tmp_path / "fresh", "--json"
    )
    assert answer.json()["terms"]["reconstruction"] < fresh.json()["terms"]["reconstruction"]
    assert "float32 [5, 17]" in refused(
        "draw", "train", *tiny, "--hidden", "17", "--start-from", drawn, "--out", tmp_path / "other"
    )
    assert "no folder" in refused(
        "draw", "train", *tiny, "--start-from", tmp_path / "none", "--out", tmp_path / "third"
    )
