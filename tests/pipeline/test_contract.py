"""The contract, for every installed system: a table of small runs, and what must hold for each of them."""

import inspect
import json
import math
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from saccade.baseline.config import Config as BaselineConfig
from saccade.draw.config import Config as DrawConfig
from saccade.errors import InputError
from saccade.images.config import ImageData, ImageFacts
from saccade.images.source import ImageBatch
from saccade.images.system import ImageSystem
from saccade.pipeline import systems
from saccade.pipeline.animate import show
from saccade.pipeline.checkpoint.run_folder import create, open_run
from saccade.pipeline.config import AnyRun, default_run, route, to_dict
from saccade.pipeline.contract import (
    EXAMPLES_AT_ONCE,
    AnyEpisode,
    AnySource,
    AnySystem,
    Episode,
    System,
    Trace,
    load_system,
)
from saccade.pipeline.evaluate.evaluate import evaluate, trace, unrolled
from saccade.pipeline.train.loop import Learner
from saccade.recurrent.core import AnyCore
from saccade.recurrent.tree import Tree, count, map_tensors, named_tensors, take


class Case(NamedTuple):
    """A small run of a system."""

    system: str
    settings: dict[str, Any]
    """Settings that make it small, as `saccade.train` takes them."""


DRAM = {"canvas": 48, "smallest": 12, "held_out": 23, "glimpses": 2, "patch": 4, "hidden": 8, "features": 8, "upper": 8}

CASES = {
    "adding": Case("adding", {"shortest": 3, "longest": 9, "held_out": 23, "hidden": 4}),
    "adding, one length": Case("adding", {"shortest": 5, "longest": 5, "held_out": 23, "hidden": 4, "core": "gru"}),
    "baseline": Case("baseline", {"kind": "fc", "hidden": 8}),
    "dram": Case("dram", {**DRAM, "rollouts": 2}),
    "dram, any order, halting": Case("dram", {**DRAM, "order": "any", "stop": "halting", "layout": "anywhere"}),
    "dram, addition by a cnn": Case("dram", {**DRAM, "network": "cnn", "dataset": "addition", "stop": "count"}),
    "draw": Case("draw", {"steps": 4, "hidden": 8, "latent": 3, "importance_samples": 3}),
    "draw, labelled": Case("draw", {"steps": 2, "hidden": 8, "latent": 3, "labelled": True, "samples": 2}),
    "glimpse": Case("glimpse", {"glimpses": 3, "patch": 4, "hidden": 8, "features": 8, "rollouts": 2}),
    "sketch": Case("sketch", {"encoder": 4, "decoder": 6, "latent": 3, "mixtures": 2}),
    "sketch, reading": Case("sketch", {"task": "read", "core": "gru", "decoder": 6}),
    "glimpse, random": Case("glimpse", {"glimpses": 2, "patch": 4, "hidden": 8, "features": 8, "policy": "random"}),
    "translate": Case("translate", {"epoch_examples": 60, "embedding": 8, "encoder": 6, "hidden": 10, "subwords": 100}),
    "translate, LSTM": Case(
        "translate",
        {"epoch_examples": 60, "embedding": 8, "encoder": 6, "hidden": 10, "cell": "lstm", "attention": "additive"},
    ),
    "caption": Case("caption", {"scenes": 60, "held_out": 23, "hidden": 8, "embedding": 5, "features": 0}),
    "video": Case("video", {"epoch_clips": 60, "held_out": 23, "hidden": 8, "features": 8, "width": 4}),
    "track": Case("track", {"frames": 5, "window": 8, "features": 2, "hidden": 4, "held_out": 23, "dataset": "mixed"}),
    "track, ratm": Case("track", {"frames": 4, "window": 8, "features": 2, "method": "ratm", "held_out": 23}),
}
"""Every system that is installed is in this table."""

BATCH = 7
"""Examples of a batch: no number of steps, samples or rollouts in the table is the same."""


def run_of(case: Case) -> AnyRun:
    training = {"batch_size": BATCH, "epochs": 1, "precision": "fp32", "clip": 1.0}
    return route(default_run(case.system, systems.spec(case.system)), {**training, **case.settings})


class Built(NamedTuple):
    """A case with its data and a fresh network."""

    system: AnySystem
    run: AnyRun
    source: AnySource
    core: AnyCore

    def batch(self) -> Any:
        return self.source.batch(0, BATCH)

    def episode(self, config: Any = None, progress: float = 1.0) -> AnyEpisode:
        generator = torch.Generator().manual_seed(5)
        return self.system.episode(self.batch(), config or self.run.model, generator, progress=progress)


@pytest.fixture(params=list(CASES.values()), ids=list(CASES))
def built(request: pytest.FixtureRequest) -> Built:
    torch.manual_seed(0)
    case: Case = request.param
    run, system = run_of(case), load_system(case.system)
    source = system.load(run, torch.device("cpu"))
    return Built(system, run, source, system.build(run.model, source.facts))


def episodes(built: Built) -> dict[str, tuple[AnyEpisode, Any, Any]]:
    """Return every condition's and every replay's episode, its outputs and its settings."""
    found: dict[str, tuple[AnyEpisode, Any, Any]] = {}
    with torch.no_grad():
        for name, config in built.system.conditions(built.run.model).items():
            episode = built.episode(config)
            found[name] = episode, unrolled(built.core, episode), config
        _, main = next(iter(found.items()))
        for name, again in built.system.replays(main[1], main[0], main[2]).items():
            found[name] = again, unrolled(built.core, again), main[2]
    return found


def close(a: Tensor, b: Tensor) -> bool:
    """Batches of other sizes are multiplied in another order."""
    return a.dtype == b.dtype and a.shape == b.shape and torch.allclose(a, b, rtol=1e-4, atol=1e-5, equal_nan=True)


def equal_trees(a: Tree, b: Tree) -> bool:
    one, other = named_tensors(a), named_tensors(b)
    return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)


def same(a: Tensor, b: Tensor) -> bool:
    """Bit for bit; NaN, which means "free" in RAM's inputs, equals NaN."""
    return a.dtype == b.dtype and a.shape == b.shape and torch.allclose(a, b, rtol=0, atol=0, equal_nan=True)


def test_every_installed_system_is_in_the_table() -> None:
    assert {case.system for case in CASES.values()} == set(systems.names())


PUBLIC = [name for name in vars(System) if not name.startswith("_")]
ABSTRACT = {"load", "build", "episode", "loss", "metrics", "report", "picture"}


@pytest.mark.parametrize("name", systems.names())
def test_every_system_keeps_the_whole_contract(name: str) -> None:
    assert System.__abstractmethods__ == ABSTRACT
    assert {"tile", "prime", "examples_at_once", "conditions", "replays", "showcase", "trained"} <= set(PUBLIC)
    system = load_system(name)
    assert isinstance(system, System)
    assert not getattr(type(system), "__abstractmethods__", None)
    for wanted in PUBLIC:
        own, declared = inspect.getattr_static(type(system), wanted), vars(System)[wanted]
        if not callable(declared):
            assert type(own) is type(declared), wanted
            continue
        assert callable(getattr(system, wanted)), wanted
        assert list(inspect.signature(own).parameters) == list(inspect.signature(declared).parameters), wanted


@pytest.mark.parametrize("name", systems.names())
def test_every_spec_is_whole(name: str) -> None:
    spec = systems.spec(name)
    default = default_run(name, spec)
    assert spec.headline is spec.metrics[0] and spec.headline.unit and spec.headline.note
    assert len({metric.heading for metric in spec.metrics}) == len(spec.metrics)
    assert spec.unit.isalpha() and issubclass(spec.facts, systems.Facts)
    for config in (default.data, default.model, default.train):
        for field in fields(config):
            known: Any = vars(type(config))["__pydantic_fields__"][field.name]
            assert known.description, f"{name}: {field.name} has no docstring"
            assert not known.is_required(), f"{name}: {field.name} has no default"
    settings = [field.name for table in (default.data, default.model, default.train) for field in fields(table)]
    assert len(settings) == len(set(settings)), "an option of the command line belongs to one table"


@pytest.mark.parametrize("name", systems.names())
def test_every_package_has_a_docstring(name: str) -> None:
    package = __import__(systems.packages()[name], fromlist=["_"])
    assert package.__doc__ and package.__doc__.strip()


def test_batches_are_functions_of_seed_and_step(built: Built) -> None:
    again = built.system.load(built.run, torch.device("cpu"))
    for step in (3, 0, 11):
        assert equal_trees(built.source.batch(step, BATCH), again.batch(step, BATCH))
    assert not equal_trees(again.batch(0, BATCH), again.batch(1, BATCH))
    other = built.system.load(
        replace(built.run, train=replace(built.run.train, seed=built.run.train.seed + 1)), torch.device("cpu")
    )
    assert not equal_trees(other.batch(0, BATCH), built.batch())
    assert equal_trees(other.held_out("test"), built.source.held_out("test")), "the same in every run"
    assert count(built.batch()) == BATCH <= built.source.examples
    assert count(built.source.held_out("test")) > 0
    with pytest.raises(InputError, match="lower --batch-size"):
        built.source.batch(0, built.source.examples + 1)


def test_facts_come_back_from_a_run_folder(built: Built, tmp_path: Path) -> None:
    made = create(tmp_path / "run", built.run, built.source.facts)
    assert isinstance(built.source.facts, systems.spec(built.run.system).facts)
    opened = open_run(tmp_path / "run")
    assert opened == made and opened.facts == built.source.facts
    text = json.loads((tmp_path / "run" / "run.json").read_text())
    assert text.keys() == {"format", "system", "data", "model", "train", "facts", "provenance"}
    assert {name: text[name] for name in ("system", "data", "model", "train")} == to_dict(built.run)
    rows = built.source.facts.describe()
    assert rows and all(isinstance(word, str) for item in rows.items() for word in item)


@pytest.mark.parametrize("progress", [0.0, 0.5, 1.0])
def test_episodes_have_steps_first_and_examples_next(built: Built, progress: float) -> None:
    episode = built.episode(progress=progress)
    assert isinstance(episode, Episode)
    steps, examples = count(episode.inputs), count(episode.inputs, axis=1)
    assert steps > 0 and examples % BATCH == 0
    for tree in (episode.context, episode.targets):
        assert all(len(leaf) == examples for leaf in named_tensors(tree).values())
    for leaf in named_tensors(episode.step_targets).values():
        assert leaf.shape[:2] == (steps, examples)
    assert named_tensors(episode.targets) or named_tensors(episode.step_targets)
    if episode.lengths is not None:
        assert episode.lengths.dtype == torch.int64 and episode.lengths.shape == (examples,)
        assert int(episode.lengths.min()) >= 1 and int(episode.lengths.max()) <= steps
    outputs = unrolled(built.core, episode)
    assert named_tensors(outputs)
    assert all(leaf.shape[:2] == (steps, examples) for leaf in named_tensors(outputs).values())


def test_all_randomness_comes_from_the_generator(built: Built) -> None:
    first = built.episode()
    torch.rand(7)  # torch's own stream stands elsewhere
    assert equal_trees(tuple(first), tuple(built.episode()))
    with torch.no_grad():
        assert equal_trees(unrolled(built.core, first), unrolled(built.core, first))


def test_metrics_are_one_for_each_example(built: Built) -> None:
    for name, (episode, outputs, config) in episodes(built).items():
        measured = built.system.metrics(outputs, episode, config)
        assert measured, name
        for key, value in measured.items():
            assert isinstance(value, Tensor) and value.ndim >= 1, (name, key)
            assert len(value) == BATCH, (name, key)
            assert not value.requires_grad, (name, key)


def part_of(episode: AnyEpisode, examples: Tensor) -> AnyEpisode:
    """Return an episode of some examples of a batch; copies of one example lie BATCH apart."""
    copies = count(episode.inputs, axis=1) // BATCH
    index = (torch.arange(copies)[:, None] * BATCH + examples).flatten()
    return Episode(
        take(episode.inputs, index, axis=1),
        take(episode.context, index),
        take(episode.targets, index),
        take(episode.step_targets, index, axis=1),
        None if episode.lengths is None else episode.lengths[index],
    )


def test_an_example_measures_the_same_in_any_batch(built: Built) -> None:
    torch.manual_seed(1)
    with torch.no_grad():
        for name, (episode, outputs, config) in episodes(built).items():
            whole = built.system.metrics(outputs, episode, config)
            parts: list[dict[str, Tensor]] = []
            for examples in torch.arange(BATCH).split([3, 1, 2, 1]):
                part = part_of(episode, examples)
                parts.append(dict(built.system.metrics(unrolled(built.core, part), part, config)))
            for key, value in whole.items():
                assert close(torch.cat([part[key] for part in parts]), value), (name, key)


def noiseless(built: Built) -> bool:
    """Return True if an episode is a function of its batch alone."""
    one, other = (
        built.system.episode(built.batch(), built.run.model, torch.Generator().manual_seed(seed)) for seed in (1, 2)
    )
    return equal_trees(tuple(one), tuple(other))


def test_evaluation_in_parts_equals_evaluation_at_once(built: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without noise through `evaluate` itself; with noise, where other parts get other noise, see the test above."""
    found = []
    examples = count(built.source.held_out("test"))
    for size in (examples, 9):
        monkeypatch.setattr(type(built.system), "examples_at_once", lambda *_, size=size: size)
        found.append(evaluate(built.run, built.core, built.source))
    assert found[0].keys() == found[1].keys() and found[0]["examples"] == examples
    assert shape_of(found[0]) == shape_of(found[1])
    if noiseless(built):
        assert numbers(found[0]) == pytest.approx(numbers(found[1]), rel=1e-5)
    else:
        assert built.run.system in ("caption", "draw", "dram", "glimpse", "sketch", "translate", "video")


def shape_of(report: Any) -> Any:
    """Return a report without its numbers."""
    if isinstance(report, dict):
        return {key: shape_of(value) for key, value in report.items()}
    return [shape_of(item) for item in report] if isinstance(report, list) else type(report)


def numbers(report: Any) -> list[float]:
    """Return the numbers of a report in their order."""
    if isinstance(report, dict | list):
        return [
            number for item in (report.values() if isinstance(report, dict) else report) for number in numbers(item)
        ]
    return [float(report)] if isinstance(report, int | float) else []


def test_the_report_has_every_number_that_is_shown(built: Built) -> None:
    report = evaluate(built.run, built.core, built.source)
    assert json.loads(json.dumps(report, allow_nan=False)) == report, "as JSON holds it"
    for metric in systems.spec(built.run.system).metrics:
        value = metric.value(report)
        assert (metric.optional and value is None) or (value is not None and math.isfinite(value)), metric.key
    assert {"system", "dataset", "split", "examples", "parameters", "seed"} <= report.keys()
    charts = built.system.charts(report)
    assert all(png.startswith(b"\x89PNG") for png in charts.values())


def test_loss_is_a_finite_number_with_finite_gradients(built: Built) -> None:
    episode = built.episode()
    outputs = unrolled(built.core, episode)
    loss = built.system.loss(outputs, episode, built.run.model)
    assert loss.total.ndim == 0 and loss.total.isfinite()
    loss.total.backward()
    gradients = [parameter.grad for parameter in built.core.parameters() if parameter.grad is not None]
    assert gradients and all(gradient.isfinite().all() for gradient in gradients)
    for name, term in loss.terms.items():
        assert term.ndim == 0 and not term.requires_grad and term.isfinite(), name
    assert systems.spec(built.run.system).learning_term in {"loss", *loss.terms}
    health = built.system.health(map_tensors(Tensor.detach, outputs), episode, built.run.model)
    assert all(isinstance(value, int | float) for value in health.values())
    assert json.dumps(health)
    warned = built.system.warnings(health, built.run.model)
    assert all(isinstance(line, str) and line and "\n" not in line for line in warned)


def test_training_resumes_bit_for_bit(built: Built) -> None:
    whole = Learner(built.run, built.source)
    for _ in range(4):
        whole.advance()
    first = Learner(built.run, built.source)
    for _ in range(2):
        first.advance()
    torch.manual_seed(77)
    second = Learner(built.run, built.system.load(built.run, torch.device("cpu")))
    second.restore(first.snapshot())
    for _ in range(2):
        second.advance()
    one, other = whole.snapshot(), second.snapshot()
    assert one.step == other.step == 4
    assert one.tensors.keys() == other.tensors.keys()
    assert all(torch.equal(one.tensors[name], other.tensors[name]) for name in one.tensors)


def test_frames_are_drawn_from_the_trace_alone(built: Built) -> None:
    batch = take(built.source.held_out("test"), slice(0, 2))
    seen = trace(built.run, built.core, batch, built.source.facts)
    assert isinstance(seen, Trace) and seen.system == built.run.system
    for draw in (built.system.picture, built.system.tile):
        frames = [draw(seen, t, example) for t in range(show.steps(seen)) for example in (0, 1)]
        assert len({frame.shape for frame in frames}) == 1
        assert all(frame.dtype == np.uint8 and frame.ndim == 3 and frame.shape[2] == 3 for frame in frames)
        assert (draw(seen, 0, 1) == frames[1]).all(), "the same frame every time"
    film = show.render(seen)
    assert len(film.frames) == len(film.beats) >= show.steps(seen)
    if built.system.glide_frames and show.steps(seen) > 1:
        assert len(film.frames) > show.steps(seen)
    frames, columns = show.strip_frames(seen)
    assert 0 < columns <= len(frames)
    with pytest.raises(InputError, match="a condition among"):
        trace(built.run, built.core, batch, built.source.facts, condition="blindfolded")


def test_a_network_without_memory_has_the_same_shapes(built: Built) -> None:
    with torch.device("meta"):
        claimed = built.system.build(built.run.model, built.source.facts)
    own = {name: (leaf.shape, leaf.dtype) for name, leaf in built.core.state_dict().items()}
    assert {name: (leaf.shape, leaf.dtype) for name, leaf in claimed.state_dict().items()} == own
    assert all(leaf.is_meta for leaf in claimed.state_dict().values())


def test_a_system_without_context_trains_and_is_measured(tmp_path: Path) -> None:
    run = run_of(CASES["adding"])
    system = load_system("adding")
    source = system.load(run, torch.device("cpu"))
    assert system.episode(source.batch(0, 3), run.model, torch.Generator()).context is None
    learner = Learner(run, source)
    before = evaluate(run, learner.core, source)["mean_squared_error"]
    for _ in range(60):
        learner.advance()
    assert evaluate(run, learner.core, source)["mean_squared_error"] < before
    assert count(trace(run, learner.core, source.batch(0, 3), source.facts).outputs, axis=1) == 3


def test_a_system_that_leaves_a_method_out_gets_the_default() -> None:
    plain = load_system("baseline")
    assert isinstance(plain, ImageSystem)
    assert type(plain).tile is System.tile
    trace_of, calls = object(), []
    patched = pytest.MonkeyPatch()
    with patched.context() as patch:
        patch.setattr(type(plain), "picture", lambda self, *arguments: calls.append(arguments))
        plain.tile(trace_of, 2, 1)  # pyright: ignore[reportArgumentType]
    assert calls == [(trace_of, 2, 1)]
    assert plain.examples_at_once(BaselineConfig()) == EXAMPLES_AT_ONCE
    core = plain.build(BaselineConfig(), ImageFacts(1, 8, 8, ("a", "b", "c")))
    before = {name: tensor.clone() for name, tensor in core.state_dict().items()}
    plain.prime(core, ImageBatch(torch.ones(2, 1, 8, 8), torch.zeros(2, dtype=torch.int64)))
    assert all(torch.equal(tensor, before[name]) for name, tensor in core.state_dict().items())
    assert plain.data_for(BaselineConfig(), ImageData(binarise="auto")) == ImageData(binarise="none")
    assert plain.data_for(BaselineConfig(), ImageData(binarise="fixed")) == ImageData(binarise="fixed")


def test_a_systems_own_method_goes_before_the_default() -> None:
    own = load_system("draw")
    assert type(own).tile is not System.tile and type(own).tile is not type(own).picture
    assert own.examples_at_once(DrawConfig(samples=50)) == 10


@pytest.mark.parametrize(("likelihood", "binarise"), [("bernoulli", "fixed"), ("logistic", "none")])
def test_drawing_takes_the_images_that_its_likelihood_is_of(likelihood: Any, binarise: str) -> None:
    config, draw = DrawConfig(likelihood=likelihood), load_system("draw")
    assert isinstance(draw, ImageSystem)
    assert draw.data_for(config, ImageData(binarise="auto")).binarise == binarise
    assert draw.data_for(config, ImageData(binarise="dynamic")).binarise == "dynamic"


def test_an_unknown_system_is_refused() -> None:
    known = ", ".join(systems.names())
    with pytest.raises(InputError, match=f"a system: {known}, found 'glance'"):
        load_system("glance")
    with pytest.raises(InputError, match=r"found 'glimpses'; did you mean glimpse\?"):
        systems.spec("glimpses")


@pytest.mark.parametrize(
    ("package", "ask", "says"),
    [
        ("saccade.words_that_are_not_there", systems.spec, "the package of the system odd, found no saccade.words"),
        ("ghosts.of.a.package", systems.spec, "the package of the system odd, found no ghosts; install it again"),
        ("ghosts.of.a.package", load_system, "the package of the system odd, found no ghosts; install it again"),
        ("saccade.images", systems.spec, "SPEC, a Spec, in saccade.images.config, found none"),
        ("saccade.images", load_system, "SYSTEM, an instance of .*System, in saccade.images.system, found None"),
        ("saccade.tables", load_system, "the package of the system odd, found no saccade.tables.system"),
    ],
)
def test_a_package_that_is_no_system_is_named(
    monkeypatch: pytest.MonkeyPatch, package: str, ask: Callable[[str], Any], says: str
) -> None:
    monkeypatch.setattr(systems, "packages", lambda: {"odd": package})
    with pytest.raises(InputError, match=says) as error:
        ask("odd")
    assert "\n" not in str(error.value)


METRICS = {"error_percent": {"mean_policy": 0.6, "averaged": 0.5}, "bound_nats": 80.0, "right": True, "empty": {}}
METRICS |= {"importance_weighted_nats": {"1": 84.0, "20": 80.5}, "none": None, "words": "many"}


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (systems.Metric("error_percent", "of a group the first"), 0.6),
        (systems.Metric("error_percent.averaged", "of a group a named one"), 0.5),
        (systems.Metric("error_percent.worst", "of a group one that is not there"), None),
        (systems.Metric("bound_nats", "a number"), 80.0),
        (systems.Metric("bound_nats.averaged", "an entry of what is no group"), None),
        (systems.Metric("importance_weighted_nats", "of samples the last", sample_label="K"), 80.5),
        (systems.Metric("none", "nothing"), None),
        (systems.Metric("right", "no number"), None),
        (systems.Metric("words", "no number"), None),
        (systems.Metric("empty", "an empty group"), None),
        (systems.Metric("absent", "not there"), None),
    ],
    ids=lambda value: value.heading if isinstance(value, systems.Metric) else "",
)
def test_the_value_of_a_metric(metric: systems.Metric, expected: float | None) -> None:
    assert metric.value(METRICS) == expected
