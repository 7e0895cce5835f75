"""The verbs `saccade benchmark` and `saccade report`. Torch-free until they run."""

from pathlib import Path
from typing import Annotated, Any

import typer

from saccade.terminal.arguments import AsJson

DataDir = Annotated[str | None, typer.Option(help="Folder of the data, where they are not in the usual place.")]
PAGE = "report.html"


def benchmark(
    out: Annotated[Path, typer.Option(help="Folder of the benchmark; the same command goes on there.")] = Path(
        "runs/benchmark"
    ),
    dataset: Annotated[str, typer.Option(help="digits, mnist, translated or cluttered.")] = "digits",
    full: Annotated[bool, typer.Option("--full", help="All rows of the papers' tables: hours.")] = False,
    jobs: Annotated[int, typer.Option(min=0, help="Networks trained at a time; 0: as many as there are cores.")] = 0,
    fresh: Annotated[bool, typer.Option("--fresh", help="Measure anew; trained networks are kept.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Compare a few glimpses with networks that see everything at once: error, cost, growth, robustness.

    Trains what is not trained yet, writes OUT/benchmark.json and the page OUT/report.html.
    """
    from saccade.bench.plan import plan

    chosen = plan(dataset, full=full, data_dir=data_dir)
    import os

    from saccade.bench import benchmark as measuring
    from saccade.bench import report as page
    from saccade.terminal import screen

    found = measuring.run(chosen, out, jobs or os.cpu_count() or 1, data_dir, fresh=fresh)
    written, _ = page.report([out], out / PAGE, data_dir)
    wrote = [str(out / measuring.FILE), str(written)]
    if not as_json:
        screen.show_metrics(summary(found), (), f"{out}: {dataset}, test error in percent")
    result = {"wrote": wrote, "next": [f"open {written}"]}
    screen.give({**found, **result} if as_json else result, as_json=as_json)
    if found["failed"]:
        raise typer.Exit(1)


def report(
    folders: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="A benchmark's folder, or run folders.", show_default=False)
    ],
    out: Annotated[Path | None, typer.Option(help="The page; by default report.html in the first folder.")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show what was measured on one HTML page that needs no network: tables, curves, films, commands, seeds."""
    from saccade.bench import report as page
    from saccade.terminal import screen

    written, faults = page.report(folders, out or folders[0] / PAGE, data_dir)
    for fault in faults:
        screen.say(f"saccade: {fault}")
    screen.give({"wrote": [str(written)], "faults": faults}, as_json=as_json)
    if faults:
        raise typer.Exit(1)


def summary(found: dict[str, Any]) -> dict[str, Any]:
    """A benchmark in a few lines: each network's mean error."""
    rows = [row for row in found["rows"] if row["source"] == "measured" and row["ranked"]]
    return {"networks": {row["label"]: row["error_percent"]["mean"] for row in rows}, "failed": len(found["failed"])}
