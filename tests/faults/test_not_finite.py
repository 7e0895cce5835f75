"""A loss or gradient that is not finite: training stops at that step, nothing good is lost, the evidence is kept."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from saccade.glimpse.config import Config
from saccade.images.config import ImageData
from saccade.images.source import load_images
from saccade.pipeline.checkpoint import checkpoints as checkpoint
from saccade.pipeline.config import Run, TrainConfig
from saccade.pipeline.train.divergence import NotFinite
from saccade.pipeline.train.loop import Learner

DATA = ImageData()
RUN = Run("glimpse", DATA, Config(glimpses=3, hidden=32, features=16), TrainConfig(batch_size=128, epochs=3))


def test_it_stops_saves_the_batch_and_keeps_the_last_good_checkpoint(words: Any, run: Any, tmp_path: Path) -> None:
    out = tmp_path / "run"
    settings = ["--epochs", "3", "--save-every-seconds", "0.0001", "--learning-rate", "1e30", "--warmup", "0"]
    code, said = run(*words("glimpse", out, *settings))
    assert code == 2
    lines = [line for line in said.splitlines() if line.startswith("saccade: ")]
    assert len(lines) == 1
    assert "expected a finite loss and gradient, found classification nan" in lines[0]
    bad = next(out.glob("bad-batch-*.safetensors"))
    assert str(bad) in lines[0] and "the last checkpoint is of step 1" in lines[0]
    good = checkpoint.newest(out)
    evidence = checkpoint.read(bad)
    assert good is not None and good.step == 1
    assert evidence.step == 1 and math.isnan(evidence.facts["terms"]["classification"])
    source = load_images(DATA, 0)
    shifted = evidence.tensors["batch/images"]
    assert shifted.shape == (128, *source.facts.shape[:3])
    assert torch.equal(evidence.tensors["batch/labels"], source.batch(1, 128).labels)
    assert {name for name in evidence.tensors if name.startswith("inputs/")} == {
        "inputs/noise", "inputs/forced", "inputs/std", "inputs/step", "inputs/digit",
    }  # fmt: skip
    code, again = run(*words("glimpse", out, *settings))  # it goes on from the good one, to the same end
    assert code == 2 and "at step 1 " in again


def test_the_weights_in_the_evidence_are_those_before_the_step() -> None:
    learner = Learner(RUN, load_images(DATA, 0))
    for _ in range(4):
        learner.advance()
    before = learner.snapshot()
    parameter = next(learner.core.parameters())
    parameter.register_hook(lambda gradient: gradient.fill_(math.inf))
    with pytest.raises(NotFinite, match=r"a gradient of norm inf \(.+\), the loss being \d.*, at step 4;") as caught:
        learner.advance()
    assert "\n" not in str(caught.value)
    evidence = caught.value.evidence
    assert evidence.step == learner.step == 4
    weights = {name: tensor for name, tensor in before.tensors.items() if name.startswith("model/")}
    assert all(torch.equal(evidence.tensors[name], tensor) for name, tensor in weights.items())
    assert all(torch.equal(tensor, learner.snapshot().tensors[name]) for name, tensor in before.tensors.items())


def test_the_bad_term_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    learner = Learner(RUN, load_images(DATA, 0))
    real = learner.system.loss

    def poisoned(*arguments: Any) -> Any:
        loss = real(*arguments)
        terms = {**loss.terms, "reinforce": torch.tensor(math.inf)}
        return loss._replace(total=loss.total + math.inf, terms=terms)

    monkeypatch.setattr(learner.system, "loss", poisoned)
    with pytest.raises(NotFinite, match="found reinforce inf in the loss at step 0;"):
        learner.advance()
