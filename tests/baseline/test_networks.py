"""The networks that look once: sizes, independence of the examples, and that they can learn."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from saccade.baseline.config import SPEC, Config
from saccade.baseline.model import Look, OneLook
from saccade.baseline.system import SYSTEM
from saccade.errors import InputError
from saccade.images.config import Shape
from saccade.images.digits import load_digits
from saccade.images.source import ImageBatch
from saccade.pipeline.contract import load_system
from saccade.recurrent.unroll import Unrolled
from tests.images.cases import facts_of

KINDS = ("fc", "conv", "modern")
DIGIT = Shape(1, 28, 28, 10)
SMALL = {kind: Config(kind=kind, hidden=16) for kind in KINDS}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small products are no faster on several threads, and much slower where other tests run beside them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def build(config: Config, shape: Shape = DIGIT, seed: int = 0) -> OneLook:
    torch.manual_seed(seed)
    return SYSTEM.build(config, facts_of(shape))


def images(count: int, shape: Shape = DIGIT) -> Tensor:
    return torch.rand(count, *shape[:3], generator=torch.Generator().manual_seed(1))


def logits(core: OneLook, pixels: Tensor) -> Tensor:
    episode = SYSTEM.episode(
        ImageBatch(pixels, torch.zeros(len(pixels), dtype=torch.int64)), Config(), torch.Generator()
    )
    return Unrolled(core)(episode.inputs, episode.context).logits


# By hand: fc P*N + N + N*N + N + 10N + 10; conv 8*100 + 8 + 8*places*256 + 256 + 2570, places 4x4 and 11x11.
@pytest.mark.parametrize(
    ("kind", "hidden", "side", "parameters"),
    [
        ("fc", 256, 28, 269_322),
        ("fc", 64, 60, 235_274),
        ("fc", 256, 60, 990_218),
        ("conv", 256, 28, 36_402),
        ("conv", 256, 60, 251_442),
        ("conv", 256, 100, 742_962),
        ("modern", 256, 28, 464_106),
        ("modern", 256, 60, 473_386),
        ("modern", 256, 100, 482_666),
    ],
)
def test_parameter_counts(kind: str, hidden: int, side: int, parameters: int) -> None:
    core = build(Config(kind=kind, hidden=hidden), Shape(1, side, side, 10))  # type: ignore[arg-type]
    counted = sum(parameter.numel() for parameter in core.parameters())
    assert counted == parameters, f"if meant, write {counted:_} in this table"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [DIGIT, Shape(3, 32, 32, 4), Shape(1, 60, 90, 2), Shape(3, 10, 11, 10)])
def test_one_step_of_logits_for_any_shape(kind: str, shape: Shape) -> None:
    core = build(SMALL[kind], shape)
    found = logits(core, images(3, shape))
    assert found.shape == (1, 3, shape.classes)
    assert found.dtype == torch.float32
    assert found.isfinite().all()


def test_large_images() -> None:
    shape = Shape(3, 800, 800, 10)
    assert logits(build(Config(kind="modern"), shape), images(1, shape)).shape == (1, 1, 10)


@pytest.mark.parametrize("kind", KINDS)
def test_examples_are_independent(kind: str) -> None:
    core = build(SMALL[kind])
    pixels = images(4)
    whole = logits(core, pixels)
    changed = pixels.clone()
    changed[1:] = 1 - changed[1:]
    assert torch.equal(logits(core, changed)[:, 0], whole[:, 0])
    assert not torch.allclose(logits(core, changed)[:, 1], whole[:, 1])
    torch.testing.assert_close(logits(core, pixels[:1])[:, 0], whole[:, 0])


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_has_a_gradient_and_the_loss_is_cross_entropy(kind: str) -> None:
    core, batch = build(SMALL[kind]), ImageBatch(images(6), torch.arange(6))
    for norm in core.modules():
        if isinstance(norm, torch.nn.GroupNorm):
            torch.nn.init.ones_(norm.weight)  # residual branches start closed
    episode = SYSTEM.episode(batch, SMALL[kind], torch.Generator())
    outputs = Unrolled(core)(episode.inputs, episode.context)
    loss = SYSTEM.loss(outputs, episode, SMALL[kind])
    p = outputs.logits[0].double().exp()
    by_hand = -(p / p.sum(1, keepdim=True))[torch.arange(6), batch.labels].log().mean()
    torch.testing.assert_close(loss.total.double(), by_hand)
    assert loss.terms == {"cross_entropy": loss.total.detach()}
    loss.total.backward()
    for name, parameter in core.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("kind", KINDS)
def test_state_is_empty_and_kept(kind: str) -> None:
    core = build(SMALL[kind])
    state = core.initial_state(5)
    assert state == () == core.detach(state)
    _, after = core(torch.zeros(5, 0), state, images(5))
    assert after == ()


@pytest.mark.parametrize(("kind", "steps"), [("fc", 60), ("conv", 100), ("modern", 30)])
def test_learns_64_embedded_digits_by_heart(kind: str, steps: int) -> None:
    train, _ = load_digits()
    batch = ImageBatch(train.pixels[:64].float() / 255, train.labels[:64])
    config = Config(kind=kind)  # type: ignore[arg-type]
    core = build(config)
    optimizer = torch.optim.Adam(core.parameters(), lr=3e-3)
    episode = SYSTEM.episode(batch, config, torch.Generator())
    for _ in range(steps):
        loss = SYSTEM.loss(Unrolled(core)(episode.inputs, episode.context), episode, config)
        optimizer.zero_grad()
        loss.total.backward()
        optimizer.step()
    outputs = Unrolled(core)(episode.inputs, episode.context)
    assert SYSTEM.health(outputs, episode, config) == {"error_percent": 0.0}


def test_bfloat16_products_come_near() -> None:
    core, pixels = build(Config(kind="modern")).eval(), images(8)
    exact = logits(core, pixels)
    with torch.autocast("cpu", torch.bfloat16):
        fast = logits(core, pixels)
    assert fast.dtype == torch.float32
    torch.testing.assert_close(fast, exact, atol=0.05, rtol=0.05)


@pytest.mark.parametrize("shape", [Shape(1, 9, 28, 10), Shape(1, 28, 9, 10)])
def test_an_image_smaller_than_the_filters_is_refused(shape: Shape) -> None:
    with pytest.raises(InputError, match=r"at least 10 x 10 pixels for conv, found .*; choose kind") as error:
        SYSTEM.build(Config(kind="conv"), facts_of(shape))
    assert "\n" not in str(error.value)


def test_an_unknown_kind_or_width_is_refused() -> None:
    from saccade.pipeline.config import default_run, override

    run = default_run("baseline", SPEC)
    for values in ({"kind": "huge"}, {"hidden": 0}, {"hidden": "many"}, {"depth": 3}):
        with pytest.raises(InputError):
            override(run, {"model": values}, lambda table, key: f"--{key}")


def test_the_system_is_found_by_name_and_reports() -> None:
    assert load_system("baseline") is SYSTEM
    config = Config(kind="fc")
    assert list(SYSTEM.conditions(config).values()) == [config]
    episode = SYSTEM.episode(ImageBatch(images(4), torch.tensor([0, 1, 1, 0])), config, torch.Generator())
    scores = torch.tensor([[[4.0, 0, 0], [9, 0, 0], [0, 2, 0], [0, 0, 1]]])
    metrics = SYSTEM.metrics(Look(scores), episode, config)
    assert {name: tuple(values.shape) for name, values in metrics.items()} == {"probabilities": (4, 3), "target": (4,)}
    torch.testing.assert_close(metrics["probabilities"].sum(1), torch.ones(4))
    report = SYSTEM.report({"one_look": metrics}, config)
    assert report["error_percent"] == {"one_look": 50.0}
    assert report["confusion"] == [[1, 0, 1], [1, 1, 0], [0, 0, 0]]
    assert report["kind"] == "fc"
    assert SYSTEM.replays(Look(scores), episode, config) == {}
    assert SYSTEM.warnings({}, config) == []


def test_sizes_grow_by_halvings_alone() -> None:
    """Whatever its size, an image reaches the body at 8 to 20 pixels a side: depth follows the size."""
    for side in (28, 40, 60, 100, 200, 400, 800):
        core = build(Config(kind="modern"), Shape(1, side, side, 10))
        with torch.no_grad():
            stem = core.network.stem(torch.zeros(1, 1, side, side))
        assert 8 <= stem.shape[-1] <= 20, (side, stem.shape)
    cores = [build(Config(kind="modern"), Shape(1, side, side, 10)) for side in (28, 60, 800)]
    counts = [sum(parameter.numel() for parameter in core.parameters()) for core in cores]
    assert all(a < b < 1.2 * a for a, b in pairwise(counts))


def test_equal_seeds_build_equal_networks() -> None:
    config = replace(Config(), kind="modern")
    first, second = build(config, seed=3).state_dict(), build(config, seed=3).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
