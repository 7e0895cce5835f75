"""A training's session: what it writes when it cannot begin, and when it diverges at once."""

from dataclasses import replace
from pathlib import Path

import pytest

from saccade.baseline.config import SPEC, Config
from saccade.errors import InputError
from saccade.pipeline.checkpoint.run_folder import open_run
from saccade.pipeline.config import TrainConfig, default_run
from saccade.pipeline.contract import Loss, load_system
from saccade.pipeline.session import train_run

RUN = replace(default_run("baseline", SPEC), model=Config(kind="fc", hidden=8), train=TrainConfig(epochs=1, threads=1))


def test_a_start_that_is_refused_writes_nothing(tmp_path: Path) -> None:
    lost = replace(RUN, train=replace(RUN.train, start_from=str(tmp_path / "lost")))
    with pytest.raises(InputError, match="a run folder, found no folder"):
        train_run(lost, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert train_run(RUN, tmp_path / "out") is not None


def test_a_run_that_diverges_before_its_first_checkpoint_leaves_the_folder_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = type(load_system("baseline"))
    honest = system.loss
    monkeypatch.setattr(system, "loss", lambda *arguments: Loss(honest(*arguments).total * float("nan"), {}))
    with pytest.raises(InputError, match="a finite loss and gradient"):
        train_run(RUN, tmp_path / "out")
    assert list((tmp_path / "out").glob("bad-batch-*.safetensors"))
    monkeypatch.setattr(system, "loss", honest)
    mended = replace(RUN, train=replace(RUN.train, learning_rate=1e-4))
    assert train_run(mended, tmp_path / "out") is not None
    assert open_run(tmp_path / "out").run == mended
