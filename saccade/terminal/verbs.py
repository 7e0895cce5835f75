"""The verbs that every system has: train, eval, gif. Torch-free until a verb runs."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from saccade.errors import InputError
from saccade.pipeline import outputs, systems
from saccade.pipeline.checkpoint.locate import results_path
from saccade.pipeline.config import TABLES, AnyRun, default_run, to_dict
from saccade.pipeline.toml_config import read_run, row_folder, write_run
from saccade.terminal.arguments import AsJson, Count, DataDir, Index, Overwrite, RunPath, Split, SplitName, StripFile
from saccade.terminal.options import Given, apply, with_options

Verb = Callable[..., None]


def verbs_of(system: str) -> dict[str, Verb]:
    """Return the verbs of a system: its own `commands.VERBS`, or train, eval and gif."""
    if systems.has(system, "commands"):
        return dict(systems.module(system, "commands").VERBS)
    return {"train": train_command(system), "eval": eval_command(system), "gif": gif_command(system)}


def train_command(system: str, then: Sequence[str] = ()) -> Verb:
    """Make the verb `train` of a system; `then` are commands to suggest after an evaluation, with {} for the run."""
    spec = systems.spec(system)

    def train(
        ctx: typer.Context,
        config: Annotated[Path | None, typer.Option(help="TOML file with settings; options override it.")] = None,
        row: Annotated[str | None, typer.Option(help="Row of that file, if it has rows.")] = None,
        out: Annotated[Path | None, typer.Option(help="Run folder; by default runs/SYSTEM or runs/FILE/ROW.")] = None,
        fresh: Annotated[
            bool, typer.Option("--fresh/--resume", help="Start again, or resume from the last checkpoint.")
        ] = False,
        evaluate: Annotated[
            bool, typer.Option("--eval/--no-eval", help="Evaluate on the test split after training.")
        ] = False,
        tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also log to OUT/tensorboard.")] = False,
        show_config: Annotated[
            bool, typer.Option("--show-config", help="Print the settings as TOML and exit.")
        ] = False,
        as_json: AsJson = False,
        *,
        given: Given,
    ) -> None:
        """Train a network; repeat the command to resume.

        Every setting below is also a key of the --config file; options on the command line override the file.
        """
        if row is not None and config is None:
            raise InputError("--config with --row", f"--row {row} alone", "name the TOML file with --config")
        run = apply(read_run(config, system, spec, row) if config else default_run(system, spec), given)
        if show_config:
            typer.echo(json.dumps(to_dict(run)) if as_json else write_run(run).strip())
            return
        out = out or (row_folder(config, row or "") if config else Path("runs", system))
        _train_and_show(run, out, fresh, tensorboard, evaluate, as_json, then)

    defaults = default_run(system, spec)
    return with_options(train, {table: getattr(defaults, table) for table in TABLES})


def _train_and_show(
    run: AnyRun, out: Path, fresh: bool, tensorboard: bool, evaluate: bool, as_json: bool, then: Sequence[str]
) -> None:
    """Train a run, evaluate it if asked to, and print the results."""
    from saccade.pipeline.session import train_run
    from saccade.pipeline.trained import open_trained
    from saccade.terminal import screen

    reporter = screen.Meter(systems.spec(run.system))
    result = train_run(run, out, fresh=fresh, tensorboard=tensorboard, reporter=reporter)
    if result is None:  # one of several processes, which does not write
        return
    screen.say("finished" if result["wrote"] else f"{out} is finished already; --fresh starts again")
    if evaluate and as_json:
        result["metrics"], files = open_trained(out, run.system).evaluate()
        result["wrote"] += files
    if evaluate and not as_json:
        screen.give({"wrote": result["wrote"]})
        evaluate_and_show(run.system, out, then=then)
    else:
        screen.give(result | {"next": [f"saccade {run.system} eval {out}"]}, as_json=as_json)


def eval_command(system: str, then: Sequence[str] = ()) -> Verb:
    """Make the verb `eval` of a system; `then` are commands to suggest afterwards, with {} for the run."""

    def evaluate(path: RunPath, data_dir: DataDir = None, split: SplitName = "test", as_json: AsJson = False) -> None:
        """Measure a network on held-out examples; write metrics.json or metrics-validation.json into RUN."""
        evaluate_and_show(system, path, data_dir, split, as_json=as_json, then=then)

    return evaluate


def gif_command(system: str) -> Verb:
    """Make the verb `gif` of a system."""

    def gif(
        path: RunPath,
        index: Index = 0,
        count: Count = 1,
        out: Annotated[
            Path | None, typer.Option(help="Film file (.gif, .webp, .png); by default RUN/film-INDEX.gif.")
        ] = None,
        strip: StripFile = None,
        seconds: Annotated[float, typer.Option(min=0.02, max=10, help="Seconds per step.")] = 0.5,
        data_dir: DataDir = None,
        split: SplitName = "test",
        overwrite: Overwrite = False,
        as_json: AsJson = False,
    ) -> None:
        """Make a film of the network's steps on held-out examples."""
        film = out or result_of(path, system, film_name("film", index, count))
        outputs.check_all({"--out": film}, {"--strip": strip}, overwrite=overwrite)
        from saccade.pipeline.animate import show
        from saccade.pipeline.trained import open_trained
        from saccade.terminal import screen

        network = open_trained(path, system)
        trace = network.look(network.held_out(network.source(data_dir), split, index, count))
        outputs.make_folder_of(film)
        wrote = show.write_pictures(trace, film, strip, seconds=seconds, overwrite=overwrite)
        if trace.remark:
            screen.say(trace.remark)
        screen.give({"wrote": wrote, "split": split}, as_json=as_json)

    return gif


def result_of(path: Path, system: str, name: str) -> Path:
    """Return the default path of a file about the network that a user named: in its run folder, or runs/models/NAME.

    Raises:
        InputError: no run of that system.
    """
    from saccade.pipeline.checkpoint.run_folder import open_run

    return results_path(open_run(path, system).path) / name


def film_name(stem: str, index: int, count: int) -> str:
    """Return the default file name of a film of `count` examples, the first being `index`."""
    return f"{stem}-{index}.gif" if count == 1 else f"{stem}-{index}-to-{index + count - 1}.gif"


def evaluate_and_show(
    system: str,
    path: Path,
    data_dir: str | None = None,
    split: Split = "test",
    *,
    as_json: bool = False,
    then: Sequence[str] = (),
    model: Mapping[str, object] | None = None,
    further: Callable[[Any, Any], Mapping[str, object]] | None = None,
) -> None:
    """Measure a trained network and print the results.

    Args:
        then: commands to suggest afterwards, with {} for the run.
        model: settings of its model to replace for this evaluation.
        further: function of the network and its data that returns further results.
    """
    from saccade.pipeline.trained import open_trained
    from saccade.terminal import screen

    network = open_trained(path, system).with_model(**(model or {}))
    source = network.source(data_dir)
    metrics, wrote = network.evaluate(split, source, further(network, source) if further else None)
    if as_json:
        screen.give(metrics, as_json=True)
        return
    unit = systems.spec(system).unit
    screen.show_metrics(
        metrics, getattr(network.facts, "classes", ()), f"{path}: {metrics['examples']:,} {split} {unit}"
    )
    if remark := network.remark(metrics):
        screen.say(remark)
    screen.give({"wrote": wrote, "next": [f"saccade {system} {words.format(path)}" for words in then]})
