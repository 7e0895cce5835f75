"""The verb `saccade reproduce`. Torch-free until it trains."""

from pathlib import Path
from typing import Annotated

import typer

from saccade.terminal.arguments import AsJson


def reproduce(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A table's TOML file.", show_default=False)],
    rows: Annotated[str | None, typer.Option(help="Rows of it, by commas; all of them by default.")] = None,
    seeds: Annotated[str, typer.Option(help="Seeds, by commas.")] = "0,1,2",
    jobs: Annotated[int, typer.Option(min=1, help="Runs at once, a process each.")] = 1,
    threads: Annotated[int, typer.Option(min=0, help="Processor threads of a run; 0 shares them out.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder of the run folders; by default runs/FILE.")] = None,
    results: Annotated[Path | None, typer.Option(help="Folder of the tables; by default the runs'.")] = None,
    collect: Annotated[bool, typer.Option("--collect", help="Train nothing: only make the tables.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a paper's table: train and measure what is missing, and write it next to the paper's numbers.

    The same command goes on where it stopped; on several machines that share the folder, they share the rows.
    """
    from saccade.tables.rows import choose, read_rows, read_seeds

    known = read_rows(file)
    chosen = choose(known, rows.split(",") if rows else None, file)
    numbers = read_seeds(seeds)
    out = out or Path("runs", file.stem)
    from saccade.tables import table
    from saccade.terminal import screen

    results = results or out
    table.check(results, file, known)
    outcomes = []
    if not collect:
        from saccade.tables.reproduce import reproduce as train

        outcomes = train(known, chosen, numbers, out, jobs=jobs, threads=threads, tell=screen.tell_outcome)
    wrote, odd = table.write_tables(out, results, file, known)
    for line in odd:
        screen.say(f"saccade: left out: {line}")
    told = [{"row": o.task.row, "seed": o.task.run.train.seed, "status": o.status, "text": o.text} for o in outcomes]
    screen.give({"runs": told, "left_out": odd, "wrote": wrote}, as_json=as_json)
    if any(outcome.status == "failed" for outcome in outcomes):
        raise typer.Exit(1)
