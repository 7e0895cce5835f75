"""The verbs that every system has, and the options that verbs share. Torch-free until a verb runs."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from saccade.errors import InputError
from saccade.pipeline.config import TABLES, default_run, to_dict
from saccade.pipeline.toml_config import read_run, row_folder, write_run
from saccade.terminal.options import apply, with_options

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object on stdout.")]
RUN_HELP = "The folder that a training wrote, or the name of a shipped network (`saccade models`)."
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help=RUN_HELP, show_default=False)]
RunOrShipped = Annotated[Path | None, typer.Argument(metavar="[RUN]", help=RUN_HELP, show_default=False)]
DataDir = Annotated[str | None, typer.Option(help="Folder of the data, if it is not the training's.")]
Split = Annotated[Literal["test", "validation"], typer.Option(help="Which held-out images.")]
StripFile = Annotated[Path | None, typer.Option(help="Write a film strip too: this PNG.")]


def train_command(system: str, model: type, then: Sequence[str] = ()) -> Callable[..., None]:
    """The verb `train` of a system whose Config is `model`; `then` says what a person may want after an evaluation."""

    def train(
        ctx: typer.Context,
        config: Annotated[Path | None, typer.Option(help="TOML file of settings; options override it.")] = None,
        row: Annotated[str | None, typer.Option(help="Row of that file, where it has rows.")] = None,
        out: Annotated[Path | None, typer.Option(help="Run folder; by default runs/SYSTEM or runs/FILE/ROW.")] = None,
        fresh: Annotated[bool, typer.Option("--fresh/--resume", help="Begin anew, or go on where it stopped.")] = False,
        evaluate: Annotated[bool, typer.Option("--eval/--no-eval", help="Evaluate on the test images too.")] = False,
        tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write OUT/tensorboard too.")] = False,
        show_config: Annotated[bool, typer.Option("--show-config", help="Print the settings as TOML; stop.")] = False,
        as_json: AsJson = False,
        *,
        given: dict[str, dict[str, Any]],
    ) -> None:
        """Train a network; the same command again resumes.

        Every setting below is also a key of the file that --config names; what is typed here overrides the file.
        """
        if row is not None and config is None:
            raise InputError("--config beside --row", f"--row {row} alone", "name the TOML file with --config")
        run = apply(read_run(config, system, model, row) if config else default_run(system, model), given)
        if show_config:
            typer.echo(json.dumps(to_dict(run)) if as_json else write_run(run).strip())
            return
        out = out or (row_folder(config, row or "") if config else Path("runs", system))
        from saccade.pipeline import trained as verbs
        from saccade.pipeline.session import learn
        from saccade.terminal import screen as terminal

        result = learn(run, out, fresh=fresh, tensorboard=tensorboard)
        if result is None:  # one of several processes, and not the one that writes
            return
        terminal.say("finished" if result["wrote"] else f"{out} is finished already; --fresh begins anew")
        if evaluate and as_json:
            result["metrics"], files = verbs.measure(*verbs.open_images(out, system), "test")
            result["wrote"] += files
        if evaluate and not as_json:
            terminal.give({"wrote": result["wrote"]})
            report(system, out, then=then)
        else:
            terminal.give(result | {"next": [f"saccade {system} eval {out}"]}, as_json=as_json)

    defaults = default_run(system, model)
    return with_options(train, {table: getattr(defaults, table) for table in TABLES})


def eval_command(system: str, then: Sequence[str] = ()) -> Callable[..., None]:
    """The verb `eval` of a system."""

    def evaluate(path: RunPath, data_dir: DataDir = None, split: Split = "test", as_json: AsJson = False) -> None:
        """Measure the error on held-out images; writes metrics.json (validation: metrics-validation.json) into RUN."""
        report(system, path, data_dir, split, as_json=as_json, then=then)

    return evaluate


def report(
    system: str,
    path: Path,
    data_dir: str | None = None,
    split: Split = "test",
    *,
    as_json: bool = False,
    then: Sequence[str] = (),
    model: dict[str, Any] | None = None,
    judge: Path | None = None,
    judged: int = 0,
) -> None:
    """Measure a trained network, under other settings of its `model` if asked, and show what was found."""
    from saccade.pipeline import trained as verbs
    from saccade.terminal import screen as terminal

    network, source = verbs.open_images(path, system, data_dir)
    network = verbs.with_model(network, **(model or {}))
    further = None
    if judge:
        from saccade.draw.judge import agreement, open_judge

        further = agreement(network, open_judge(network, judge), source, split, judged)
    metrics, wrote = verbs.measure(network, source, split, further)
    if as_json:
        terminal.give(metrics, as_json=True)
        return
    terminal.show_metrics(metrics, network.folder.classes, f"{path}: {metrics['examples']:,} {split} images")
    terminal.give({"wrote": wrote, "next": [f"saccade {system} {words.format(path)}" for words in then]})
