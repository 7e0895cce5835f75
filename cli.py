"""The `saccade` command: wiring between a person's words and the pipeline. A system is one row of `SYSTEMS`.

torch is imported inside the commands, so that `--help` comes at once.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import typer

import baseline.config
import bench.commands
import draw.config
import glimpse.config
from recurrent.config import TABLES, default_run, to_dict
from recurrent.errors import InputError
from recurrent.failures import PlainFailures
from recurrent.options import apply, with_options
from recurrent.toml import read_run, write_run


class System(NamedTuple):
    """A system as the command line knows it, and its verbs beside `train` and `eval`."""

    config: type
    verbs: tuple[str, ...]
    help: str


SYSTEMS = {
    "glimpse": System(
        glimpse.config.Config, ("gif", "read"), "Read images by a few glimpses: the Recurrent Attention Model."
    ),
    "draw": System(draw.config.Config, ("generate", "gif"), "Write images step by step: DRAW."),
    "baseline": System(baseline.config.Config, (), "Networks that see the whole image at once, for comparison."),
}
NEXT = {"glimpse": ["gif {} --index 7"], "draw": ["gif {} --count 36"], "baseline": []}
"""What a person may want to do after an evaluation."""

DEMO = Path("runs/demo")

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object on stdout.")]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="The folder that a training wrote.", show_default=False)]
DataDir = Annotated[str | None, typer.Option(help="Folder of the data, if it is not the training's.")]
Split = Annotated[Literal["test", "validation"], typer.Option(help="Which held-out images.")]
StripFile = Annotated[Path | None, typer.Option(help="Write a film strip too: this PNG.")]
Condition = Annotated[str | None, typer.Option(help="Whose gaze, e.g. random; the policy's mean by default.")]
Seconds = Annotated[float, typer.Option(min=0.02, max=10, help="Seconds a glimpse is shown.")]
StepSeconds = Annotated[float, typer.Option("--seconds", min=0.02, max=10, help="Seconds a step is shown.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the latents.")]


def train_command(system: str) -> Callable[..., None]:
    """The verb `train` of a system."""

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
        model = SYSTEMS[system].config
        run = apply(read_run(config, system, model, row) if config else default_run(system, model), given)
        if show_config:
            typer.echo(json.dumps(to_dict(run)) if as_json else write_run(run).strip())
            return
        out = out or Path("runs", *([config.stem, row or ""] if config else [system]))
        from recurrent import terminal, verbs

        result = verbs.learn(run, out, fresh=fresh, tensorboard=tensorboard)
        if result is None:  # one of several processes, and not the one that writes
            return
        terminal.say("finished" if result["wrote"] else f"{out} is finished already; --fresh begins anew")
        if evaluate and as_json:
            result["metrics"], file = verbs.measure(*verbs.open_images(system, out), "test")
            result["wrote"].append(str(file))
        if evaluate and not as_json:
            terminal.give({"wrote": result["wrote"]})
            report(system, out)
        else:
            terminal.give(result | {"next": [f"saccade {system} eval {out}"]}, as_json=as_json)

    defaults = default_run(system, SYSTEMS[system].config)
    return with_options(train, {table: getattr(defaults, table) for table in TABLES})


def eval_command(system: str) -> Callable[..., None]:
    """The verb `eval` of a system."""

    def evaluate(path: RunPath, data_dir: DataDir = None, split: Split = "test", as_json: AsJson = False) -> None:
        """Measure the error on held-out images; writes metrics.json (validation: metrics-validation.json) into RUN."""
        report(system, path, data_dir, split, as_json=as_json)

    return evaluate


def estimate_command(system: str) -> Callable[..., None]:
    """The verb `eval` of a system that draws."""

    def evaluate(
        path: RunPath,
        samples: Annotated[
            int, typer.Option(help="Samples K of the importance-weighted estimate; takes its time.")
        ] = 10,
        data_dir: DataDir = None,
        split: Split = "test",
        as_json: AsJson = False,
    ) -> None:
        """Measure the bound on held-out images, nats an image; writes metrics.json into RUN."""
        report(system, path, data_dir, split, as_json=as_json, model={"importance_samples": samples})

    return evaluate


def generate_command(system: str) -> Callable[..., None]:
    """The verb `generate` of a system that draws."""

    def generate(
        path: RunPath,
        count: Annotated[int, typer.Option(min=1, max=10_000, help="How many images.")] = 64,
        text: Annotated[str | None, typer.Option(help="Write this, a class a character (--labelled networks).")] = None,
        out: Annotated[Path | None, typer.Option(help="Sheet of the finished images: a PNG; or RUN/sheet.png.")] = None,
        gif: Annotated[Path | None, typer.Option(help="Film of how they are drawn: .gif, .webp or .png.")] = None,
        strip: StripFile = None,
        seconds: StepSeconds = 0.15,
        seed: Seed = 0,
        as_json: AsJson = False,
    ) -> None:
        """Draw new images, from noise alone."""
        from recurrent import studio, terminal, verbs

        network = verbs.open_network(system, path)
        labels = [-1] * count if text is None else studio.labels_of(text, network.folder.classes)
        trace = studio.imagine(network, labels, seed)
        columns = None if text is None else len(text)
        wrote = [studio.sheet(network, trace, out or path / "sheet.png", columns)]
        wrote += [studio.film(network, trace, gif, seconds, columns)] if gif else []
        wrote += [studio.strip(network, trace, strip)] if strip else []
        terminal.give({"wrote": wrote}, as_json=as_json)

    return generate


def film_command(system: str) -> Callable[..., None]:
    """The verb `gif` of a system that draws."""

    def gif(
        path: RunPath,
        count: Annotated[int, typer.Option(min=1, max=400, help="How many drawings beside one another.")] = 1,
        reconstruct: Annotated[
            bool, typer.Option("--reconstruct", help="Redraw held-out images while looking.")
        ] = False,
        index: Annotated[int, typer.Option(help="Which image of the split to redraw, from 0.")] = 0,
        out: Annotated[Path | None, typer.Option(help="File (.gif, .webp, .png); or RUN/writing.gif.")] = None,
        strip: StripFile = None,
        seconds: StepSeconds = 0.15,
        seed: Seed = 0,
        data_dir: DataDir = None,
        split: Split = "test",
        as_json: AsJson = False,
    ) -> None:
        """Show the canvases appear, and the window that writes move over them."""
        from recurrent import studio, terminal, verbs

        if reconstruct:
            network, source = verbs.open_images(system, path, data_dir)
            trace = verbs.look(network, verbs.held_out(source, split, index, count))
            name = f"redrawing-{index}.gif"
        else:
            network = verbs.open_network(system, path)
            trace, name = studio.imagine(network, [-1] * count, seed), "writing.gif"
        wrote = [studio.film(network, trace, out or path / name, seconds)]
        wrote += [studio.strip(network, trace, strip)] if strip else []
        terminal.give({"wrote": wrote}, as_json=as_json)

    return gif


def gif_command(system: str) -> Callable[..., None]:
    """The verb `gif` of a system."""

    def gif(
        path: RunPath,
        index: Annotated[int, typer.Option(help="Which image of the split, from 0.")] = 0,
        count: Annotated[int, typer.Option(help="So many images from there on, beside one another.")] = 1,
        out: Annotated[Path | None, typer.Option(help="File (.gif, .webp, .png); or RUN/gaze-INDEX.gif.")] = None,
        strip: StripFile = None,
        condition: Condition = None,
        seconds: Seconds = 0.8,
        data_dir: DataDir = None,
        split: Split = "test",
        as_json: AsJson = False,
    ) -> None:
        """Show where the network looks, what it sees there, and what it believes."""
        from recurrent import terminal, verbs

        network, source = verbs.open_images(system, path, data_dir)
        batch = verbs.held_out(source, split, index, count)
        name = f"gaze-{index}.gif" if count == 1 else f"gaze-{index}-to-{index + count - 1}.gif"
        trace = verbs.look(network, batch, condition)
        wrote = verbs.draw(network, trace, out or path / name, strip, seconds)
        result = {"wrote": wrote, "split": split, "answers": verbs.answers(trace, range(index, index + count))}
        if not as_json:
            terminal.show_answers(result["answers"])
        terminal.give(result, as_json=as_json)

    return gif


def read_command(system: str) -> Callable[..., None]:
    """The verb `read` of a system."""

    def read(
        files: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Image files.", show_default=False)],
        run: Annotated[Path, typer.Option(help="The run folder of a trained network.")] = DEMO,
        gif: Annotated[Path | None, typer.Option(help="Draw the gaze into this file: .gif, .webp or .png.")] = None,
        strip: StripFile = None,
        condition: Condition = None,
        seconds: Seconds = 0.8,
        as_json: AsJson = False,
    ) -> None:
        """Read your own image files: label, probabilities and gaze."""
        if run == DEMO and not run.exists():
            do = f"train one, e.g. `saccade {system} train --out runs/mine`, and name it with --run runs/mine"
            raise InputError("a trained network", f"no --run, and no {DEMO} (no weights come with Saccade yet)", do)
        from recurrent import terminal, verbs

        network = verbs.open_network(system, run)
        trace = verbs.look(network, verbs.read_files(network, files), condition)
        wrote = verbs.draw(network, trace, gif, strip, seconds)
        answers = verbs.answers(trace, [str(file) for file in files])
        if not as_json:
            terminal.show_answers(answers)
        terminal.give({"wrote": wrote, "answers": answers}, as_json=as_json)

    return read


def report(
    system: str,
    path: Path,
    data_dir: str | None = None,
    split: Split = "test",
    *,
    as_json: bool = False,
    model: dict[str, Any] | None = None,
) -> None:
    """Measure a trained network, under other settings of its `model` if asked, and show what was found."""
    from recurrent import terminal, verbs

    network, source = verbs.open_images(system, path, data_dir)
    network = verbs.with_model(network, **(model or {}))
    metrics, file = verbs.measure(network, source, split)
    if as_json:
        terminal.give(metrics, as_json=True)
        return
    terminal.show_metrics(metrics, network.folder.classes, f"{path}: {metrics['examples']:,} {split} images")
    terminal.give({"wrote": [str(file)], "next": [f"saccade {system} {words.format(path)}" for words in NEXT[system]]})


def _build() -> typer.Typer:
    """The app: a sub-app for every system."""
    about = "Recurrent networks that look and draw. Begin with `saccade glimpse train`; --help works after every word."
    app = typer.Typer(cls=PlainFailures, help=about, no_args_is_help=True, add_completion=False)
    for name, system in SYSTEMS.items():
        draws = "generate" in system.verbs
        known = {"generate": generate_command, "gif": film_command if draws else gif_command, "read": read_command}
        verbs = {"train": train_command, "eval": estimate_command if draws else eval_command}
        verbs |= {verb: known[verb] for verb in system.verbs}
        group = typer.Typer(help=system.help, no_args_is_help=True)
        for verb, command in verbs.items():
            group.command(verb)(command(name))
        app.add_typer(group, name=name)
    for command in (bench.commands.benchmark, bench.commands.report):
        app.command()(command)
    return app


app = _build()


def main() -> None:
    """The entry point of `saccade`."""
    app(prog_name="saccade")


if __name__ == "__main__":
    main()
