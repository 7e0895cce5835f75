"""The verbs `saccade benchmark` and `saccade report`. Torch-free until they run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from saccade.errors import InputError
from saccade.pipeline import outputs
from saccade.pipeline.checkpoint.locate import find, results_path
from saccade.terminal.arguments import AsJson, Overwrite

if TYPE_CHECKING:
    from saccade.bench.schema import Benchmark

DataDir = Annotated[str | None, typer.Option(help="Folder of the dataset; by default the usual place.")]
PAGE = "report.html"


def benchmark(
    out: Annotated[Path, typer.Option(help="Folder of the benchmark; repeat the command to resume it.")] = Path(
        "runs/benchmark"
    ),
    dataset: Annotated[str, typer.Option(help="Dataset: digits, mnist, translated or cluttered.")] = "digits",
    full: Annotated[bool, typer.Option("--full", help="Train all rows of the papers' tables; takes hours.")] = False,
    jobs: Annotated[
        int, typer.Option(min=0, max=1000, help="Networks to train at the same time; 0: one per core.")
    ] = 0,
    fresh: Annotated[bool, typer.Option("--fresh", help="Measure again; keep the trained networks.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Compare networks with a few glimpses and networks that see the whole image: error, cost, robustness.

    Trains the missing networks, and writes OUT/benchmark.json and the page OUT/report.html.
    """
    from saccade.bench.plan import plan

    chosen = plan(dataset, full=full, data_dir=data_dir)
    import os

    from saccade.bench import benchmark as measuring
    from saccade.bench import report as page
    from saccade.terminal import screen

    content = measuring.run(chosen, out, jobs or os.cpu_count() or 1, data_dir, fresh=fresh)
    written, _ = page.report([out], out / PAGE, data_dir)
    wrote = [str(out / measuring.FILE), str(written)]
    if not as_json:
        screen.show_metrics(summary(content), (), f"{out}: {dataset}, test error in percent")
    result = {"wrote": wrote, "next": [f"open {written}"]}
    screen.give({**content, **result} if as_json else result, as_json=as_json)
    if content["failed"]:
        raise typer.Exit(1)


def report(
    folders: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Folder of a benchmark, or run folders.", show_default=False)
    ],
    out: Annotated[Path | None, typer.Option(help="HTML file; by default report.html in the first folder.")] = None,
    data_dir: DataDir = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write the results as one self-contained HTML page: tables, curves, films, commands, seeds."""
    if not any(find(folder).is_dir() for folder in folders):
        raise InputError("a benchmark's folder or a run folder", f"no folder {folders[0]}", "name one that is there")
    out = out or results_path(find(folders[0])) / PAGE
    outputs.check(out, outputs.PAGE, overwrite=overwrite)
    from saccade.bench import report as page
    from saccade.terminal import screen

    outputs.make_folder_of(out)
    written, faults = page.report(folders, out, data_dir)
    for fault in faults:
        screen.say(f"saccade: {fault}")
    screen.give({"wrote": [str(written)], "faults": faults}, as_json=as_json)
    if faults:
        raise typer.Exit(1)


def summary(content: "Benchmark") -> dict[str, object]:
    """Return the mean error of each ranked network, and the number of failures."""
    rows = [row for row in content["rows"] if row["source"] == "measured" and row["ranked"]]
    return {"networks": {row["label"]: row["error_percent"]["mean"] for row in rows}, "failed": len(content["failed"])}
