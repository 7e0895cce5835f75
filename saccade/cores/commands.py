"""The verbs `saccade gradients` and `saccade cores`. Torch-free until they run."""

from pathlib import Path
from typing import Annotated

import typer

from saccade.pipeline import outputs
from saccade.terminal.arguments import MOST_SEED, AsJson, Overwrite

FigureFile = Annotated[Path, typer.Option(help="PNG file for the figure.")]
CoreRuns = Annotated[Path, typer.Option(help="Folder of the run folders that `saccade cores` trains.")]
CORE_RUNS = Path("runs/cores")


def gradients(
    steps: Annotated[int, typer.Option(min=2, max=1000, help="Length of the adding problem's sequences.")] = 100,
    updates: Annotated[int, typer.Option(min=0, max=100_000, help="Updates of the short training on it.")] = 1600,
    out: FigureFile = Path("gradients.png"),
    runs: CoreRuns = CORE_RUNS,
    seed: Annotated[int, typer.Option(min=0, max=MOST_SEED, help="Seed of the weights and the sequences.")] = 0,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Show vanishing gradients: |dL/dh_t| by distance from the loss, for each core, by depth and truncation.

    Measured on the adding problem before and after a short training, and in RAM and DRAW before training and, if
    `saccade cores` has trained them, after it.
    """
    outputs.check(out, outputs.SHEET, overwrite=overwrite)
    from saccade.cores import figures, flow, flow_figure
    from saccade.terminal import screen

    flows = flow.measure(steps, updates, runs, screen.say, seed)
    wrote = [str(figures.save(flow_figure.draw(flows), out, overwrite=overwrite))]
    screen.give({**flows, "wrote": wrote} if as_json else {"wrote": wrote}, as_json=as_json)


def cores(
    out: FigureFile = Path("cores.png"),
    runs: CoreRuns = CORE_RUNS,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Epochs of a training; by default RAM 100, DRAW 40.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=20, help="Trainings of each core, with seeds 0, 1, ...")] = 1,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Compare vanilla RNN, LSTM and GRU in RAM and in DRAW: quality, time per step, parameters.

    Repeat the command to resume.
    """
    outputs.check(out, outputs.SHEET, overwrite=overwrite)
    from saccade.cores import compare, compare_figure, figures
    from saccade.terminal import screen

    rows = compare.measure(runs, screen.say, epochs=epochs, seeds=seeds)
    wrote = [str(figures.save(compare_figure.draw(rows), out, overwrite=overwrite))]
    if not as_json:
        screen.show_table("Comparison of cores: lower is better; CPU ms per training step", compare.table(rows))
    screen.give({"cores": rows, "wrote": wrote} if as_json else {"wrote": wrote}, as_json=as_json)
