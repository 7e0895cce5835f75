"""A trained DRAW in Python: draws from noise, writes texts, finishes images; and the sheet of what it drew."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from saccade.draw import sheets
from saccade.draw.config import SPEC, Config
from saccade.draw.painter import Painter
from saccade.draw.system import SYSTEM
from saccade.draw.unfinished import Part
from saccade.errors import InputError
from saccade.images.config import ImageData, Shape
from saccade.pipeline.animate import film
from saccade.pipeline.animate.show import write_film, write_strip
from saccade.pipeline.checkpoint.run_folder import RunFolder
from saccade.pipeline.config import Run
from saccade.pipeline.provenance import provenance
from tests.images.cases import facts_of

FACTS = facts_of(Shape(1, 9, 9, 3), ("a", "b", "seven"))


def painter(folder: Path, *, data: ImageData = SPEC.data, **settings: Any) -> Painter:
    config = Config(**{"steps": 4, "hidden": 12, "latent": 4, "read": 3, "write": 4, **settings})
    torch.manual_seed(0)
    core = SYSTEM.build(config, FACTS).eval()
    with torch.no_grad():
        for parameter in core.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    run = Run(system="draw", data=data, model=config, train=SPEC.train)
    return Painter(RunFolder(folder, run, FACTS, provenance()), core, step=0)


def test_drawings_are_a_function_of_the_seed(tmp_path: Path) -> None:
    draw = painter(tmp_path)
    drawn = draw.generate(5, seed=3)
    assert drawn.images.shape == (5, 1, 9, 9)
    assert (drawn.images >= 0).all() and (drawn.images <= 1).all()
    assert torch.equal(drawn.images, draw.generate(5, seed=3).images)
    assert not torch.equal(drawn.images, draw.generate(5, seed=4).images)
    assert len(torch.unique(drawn.images, dim=0)) == 5
    assert drawn.classes == [None] * 5  # no class was asked for, and none was learned
    torch.testing.assert_close(drawn.images, torch.sigmoid(drawn.trace.outputs.canvas[-1]))
    torch.testing.assert_close(draw.generate(2, seed=3).images, drawn.images[:2])  # more drawings change no drawing


def test_one_drawing_is_the_default(tmp_path: Path) -> None:
    assert len(painter(tmp_path).generate().images) == 1


@pytest.mark.parametrize("count", [0, -1])
def test_no_drawing_is_refused(tmp_path: Path, count: int) -> None:
    with pytest.raises(InputError, match=f"1 image or more, found {count}"):
        painter(tmp_path).generate(count)


def test_a_text_is_written_a_class_a_character(tmp_path: Path) -> None:
    draw = painter(tmp_path, labelled=True)
    drawn = draw.generate("abba", seed=1)
    assert drawn.classes == ["a", "b", "b", "a"]
    assert draw.labels_of("abba") == [0, 1, 1, 0]
    assert torch.equal(drawn.images, draw.of_classes(torch.tensor([0, 1, 1, 0]), 1).batch.images)
    other = draw.generate("bbba", seed=1)  # the same noise: only the first drawing has another class
    assert not torch.equal(other.images[0], drawn.images[0])
    torch.testing.assert_close(other.images[1:], drawn.images[1:])


def test_a_network_with_labels_chooses_classes_where_none_are_named(tmp_path: Path) -> None:
    drawn = painter(tmp_path, labelled=True).generate(40)
    assert set(drawn.classes) == set(FACTS.classes)


def test_texts_that_cannot_be_written(tmp_path: Path) -> None:
    draw = painter(tmp_path, labelled=True)
    for text, said in (
        ("abc", "characters among ab, found 'c' in 'abc'"),
        ("s", "characters among ab"),  # of the class "seven", whose name is no character
        ("", "a text of one character or more"),
    ):
        with pytest.raises(InputError, match=said):
            draw.generate(text)
    with pytest.raises(InputError, match="a network that was trained with labels"):
        painter(tmp_path).generate("ab")


def half() -> Part:
    image = torch.bernoulli(torch.full((1, 9, 9), 0.4), generator=torch.Generator().manual_seed(1))
    given = torch.zeros(9, 9, dtype=torch.bool)
    given[:5] = True
    return Part(image, given)


def test_endings_say_how_well_each_keeps_what_was_given(tmp_path: Path) -> None:
    part, draw = half(), painter(tmp_path, labelled=True)
    endings = draw.complete(part, count=2, seed=3)
    assert endings.images.shape == (2, 1, 9, 9)
    torch.testing.assert_close(endings.images, torch.sigmoid(endings.trace.outputs.canvas[-1]))
    assert endings.found["given_pixels"] == 45
    rows = endings.found["endings"]
    assert [row["class"] for row in rows] == [FACTS.classes[k] for k in endings.trace.batch.labels.tolist()]
    agree = ((endings.images > 0.5) == (part.image > 0.5))[:, 0, part.given].double().mean(1) * 100
    assert [row["agreement_percent"] for row in rows] == pytest.approx(agree.tolist(), abs=1e-3)
    assert all(row["bound_nats"] == pytest.approx(45 * row["nats_per_given_pixel"] + row["kl_nats"]) for row in rows)
    assert endings.found["bound_nats"] == pytest.approx(sum(row["bound_nats"] for row in rows) / 2)
    assert endings.found["bound_nats"] < endings.found["amortised_bound_nats"]
    again = draw.complete(part, count=2, seed=3)
    assert torch.equal(endings.images, again.images)
    assert again.found == endings.found


@pytest.mark.parametrize(
    ("likelihood", "binarise", "two_levels"),
    [
        ("bernoulli", "auto", True),
        ("logistic", "auto", False),
        ("logistic", "fixed", True),
        ("bernoulli", "none", False),
    ],
)
def test_an_unfinished_image_is_black_and_white_where_the_training_images_were(
    tmp_path: Path, likelihood: str, binarise: Any, two_levels: bool
) -> None:
    pixels = np.zeros((9, 9), np.uint8)
    pixels[1:5, 2], pixels[1:5, 4], pixels[1:5, 6] = 80, 160, 255
    Image.fromarray(pixels).save(tmp_path / "half.png")
    draw = painter(tmp_path, likelihood=likelihood, data=ImageData(binarise=binarise))
    part = draw.unfinished(tmp_path / "half.png", keep="top")
    levels = part.image.unique()
    expected = torch.tensor([0, 1] if two_levels else [0, 80 / 255, 160 / 255, 1], dtype=torch.float32)
    torch.testing.assert_close(levels, expected)
    assert part.given[:5].all() and not part.given[5:].any()


def test_a_sheet_shows_every_finished_image_in_its_place(tmp_path: Path) -> None:
    trace = painter(tmp_path).generate(5).trace
    with Image.open(sheets.sheet(trace, tmp_path / "sheet.png")) as image:
        pixels = np.asarray(image.convert("L"))
    side = sheets.SHEET_TILE // 9 * 9
    assert pixels.shape == (2 * side + 3 * film.GAP, 3 * side + 4 * film.GAP)
    for example, drawn in enumerate(trace.batch.images):
        top = film.GAP + example // 3 * (side + film.GAP)
        left = film.GAP + example % 3 * (side + film.GAP)
        tile = pixels[top : top + side, left : left + side].reshape(9, side // 9, 9, side // 9)
        np.testing.assert_allclose(tile.mean((1, 3)), 255 * drawn[0].numpy(), atol=1)
    with Image.open(sheets.sheet(trace, tmp_path / "row.png", columns=5)) as row:
        assert row.size == (5 * side + 6 * film.GAP, side + 2 * film.GAP)


def test_drawings_and_endings_can_be_filmed(tmp_path: Path) -> None:
    draw = painter(tmp_path)
    for name, trace in (("drawn", draw.generate(4).trace), ("ended", draw.complete(half(), count=2).trace)):
        with Image.open(write_film(trace, tmp_path / f"{name}.gif")) as shown:
            assert getattr(shown, "n_frames", 1) > 1
        assert write_strip(trace, tmp_path / f"{name}.png").stat().st_size > 0
