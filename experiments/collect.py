"""Put finished runs into one table: `python experiments/collect.py runs/* > experiments/RESULTS.md`.

Runs of one configuration that differ only in their seed are one row: mean and range over the seeds. Beside the numbers
stands the command that made them, and the commit at which it did; whole metrics go to experiments/results/NAME.json.
"""

import json
import shlex
import statistics
import sys
from collections import defaultdict
from pathlib import Path

COLUMNS = {
    "mean policy": ("error_percent", "mean_policy"),
    "one rollout": ("error_percent", "one_rollout"),
    "average of 10": ("error_percent", "averaged"),
    "fixed scan": ("controls", "fixed_scan"),
    "random": ("controls", "random"),
    "centre": ("controls", "centre"),
    "another image's": ("controls", "another_image"),
}
RESULTS = Path(__file__).parent / "results"


def words(run: dict) -> list[str]:
    """The command of a run without its seed, folder and circumstances: what names its row."""
    kept, skip = [], False
    for word in run["facts"]["command"][1:]:
        if skip or word in ("--seed", "--out", "--threads"):
            skip = not skip
        elif word not in ("--eval", "--fresh"):
            kept.append(word)
    return kept


def seconds(folder: Path) -> float:
    """Wall time of training, from the log's last line (of one uninterrupted training)."""
    return json.loads((folder / "log.jsonl").read_text().splitlines()[-1])["seconds"]


def cell(values: list[float]) -> str:
    """A mean, with the range where there are several."""
    mean = f"{statistics.mean(values):.2f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.2f} to {max(values):.2f})"


def main() -> None:
    """Write the table to stdout and the metrics beside this file."""
    RESULTS.mkdir(exist_ok=True)
    rows = defaultdict(list)
    for folder in map(Path, sys.argv[1:]):
        if not (folder / "metrics.json").exists():
            print(f"passed over {folder}: no metrics.json", file=sys.stderr)
            continue
        run, metrics = (json.loads((folder / name).read_text()) for name in ("run.json", "metrics.json"))
        run["facts"]["command"][0] = "saccade"
        settings = {key: value for key, value in run["train"].items() if key not in ("seed", "threads")}
        key = json.dumps([run["data"]["dataset"], run["data"]["shift"], run["model"], settings.get("epochs"), settings])
        rows[key].append((run, metrics, seconds(folder)))
        kept = {"metrics": metrics, "train_seconds": seconds(folder), **run}
        (RESULTS / f"{folder.name}.json").write_text(json.dumps(kept, indent=1) + "\n")
    print(
        "# Measured results\n\nTest error in percent, mean (and range) over the seeds. The first three columns are the"
    )
    print("learned gaze; the others are the same weights made to look elsewhere.\n")
    print("Minutes are wall time of training with one thread, on a machine shared with other training.\n")
    print("| run | commit | optimizer, epochs | seeds |", " | ".join(COLUMNS), "| minutes |")
    print("|---" * (len(COLUMNS) + 5) + "|")
    for runs in sorted(rows.values(), key=lambda runs: words(runs[0][0])):
        first = runs[0][0]
        command, train = shlex.join(words(first)), first["train"]
        commit = (first["facts"]["git_commit"] or "")[:7]
        how = f"{train.get('optimizer', 'adam')}, {train['epochs']}"
        seeds = ", ".join(str(metrics["seed"]) for _, metrics, _ in runs)
        numbers = [
            [metrics[group][key] for _, metrics, _ in runs if key in metrics.get(group, {})]
            for group, key in COLUMNS.values()
        ]
        cells = " | ".join(cell(values) if values else "" for values in numbers)
        minutes = cell([taken / 60 for *_, taken in runs])
        print(f"| `saccade {command}` | {commit} | {how} | {seeds} | {cells} | {minutes} |")


if __name__ == "__main__":
    main()
