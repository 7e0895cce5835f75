"""The verb `saccade reproduce`. Torch-free until it trains."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from saccade.terminal.arguments import AsJson

if TYPE_CHECKING:
    from saccade.tables.reproduce import Outcome

STATUS_WORDS = {"finished": "finished already", "elsewhere": "trained elsewhere"}


def reproduce(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="TOML file of a table.", show_default=False)],
    rows: Annotated[str | None, typer.Option(help="Rows of the table, separated by commas; by default all.")] = None,
    seeds: Annotated[str, typer.Option(help="Seeds, separated by commas.")] = "0,1,2",
    jobs: Annotated[int, typer.Option(min=1, max=1000, help="Runs to train at the same time, one process each.")] = 1,
    threads: Annotated[
        int, typer.Option(min=0, max=1000, help="Processor threads per run; 0 divides them evenly.")
    ] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder for the run folders; by default runs/FILE.")] = None,
    results: Annotated[Path | None, typer.Option(help="Folder for the tables; by default the same as --out.")] = None,
    collect: Annotated[bool, typer.Option("--collect", help="Only write the tables; train nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Reproduce a paper's table: train and measure what is missing, and write it next to the paper's numbers.

    Repeat the command to resume. Machines that share the folder divide the runs among them.
    """
    from saccade.tables.rows import choose, read_rows, read_seeds

    table_rows = read_rows(file)
    chosen = choose(table_rows, None if rows is None else [name.strip() for name in rows.split(",")], file)
    numbers = read_seeds(seeds)
    out = out or Path("runs", file.stem)
    from saccade.tables import table
    from saccade.terminal import screen

    results = results or out
    table.check(results, file, table_rows)
    outcomes: list[Outcome] = []
    if not collect:
        from saccade.tables.reproduce import reproduce as train

        outcomes = train(table_rows, chosen, numbers, out, jobs=jobs, threads=threads, report=show_outcome)
    wrote, left_out = table.write_tables(out, results, file, table_rows)
    for line in left_out:
        screen.say(f"saccade: left out: {line}")
    runs = [{"row": o.task.row, "seed": o.task.run.train.seed, "status": o.status, "text": o.text} for o in outcomes]
    screen.give({"runs": runs, "left_out": left_out, "wrote": wrote}, as_json=as_json)
    if any(outcome.status == "failed" for outcome in outcomes):
        raise typer.Exit(1)


def show_outcome(outcome: "Outcome") -> None:
    """Print a line with the row, seed and status of a run."""
    from saccade.terminal import screen

    task, text = outcome.task, f": {outcome.text}" if outcome.text else ""
    status = STATUS_WORDS.get(outcome.status, outcome.status)
    screen.say(f"{task.row}, seed {task.run.train.seed}: {status}{text}")
