"""Make a shipped network (`recurrent.shipped`) of a finished run: its weights, settings, metrics, curve and card."""

import json
import re
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from saccade.errors import InputError
from saccade.pipeline.checkpoint import checkpoints
from saccade.pipeline.checkpoint.atomic_files import read_json, unwritable, write_json, write_whole
from saccade.pipeline.checkpoint.locate import NETWORKS, WEIGHTS, is_shipped, results_folder
from saccade.pipeline.checkpoint.run_folder import RunFolder, open_run, read_record
from saccade.pipeline.checkpoint.run_log import curve, read_log, train_seconds
from saccade.pipeline.checkpoint.snapshot import Snapshot
from saccade.pipeline.config import to_dict
from saccade.pipeline.provenance import command
from saccade.shipped.card import Card, write_card
from saccade.shipped.catalogue import size

MOST_BYTES = 12_000_000
"""All shipped networks together."""

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def add(
    run: Path, name: str, about: str, bad_at: Sequence[str] = (), into: Path | None = None, *, replace: bool = False
) -> Path:
    """Write the folder NAME of a finished and measured run into the package `models`, or into the folder `into`.

    Of the checkpoint it keeps the weights alone, the averaged ones where an average was kept. `about` says in a line
    what it is, `bad_at` what it is bad at beside what the metrics show. The folder is whole or absent. The run may be
    itself a shipped network that was measured anew: its weights, settings and curve stay as they are.

    Raises:
        InputError: a run that is unfinished or has no metrics of the test images; a name that is taken or no name;
            more than 12 MB in all; a folder that cannot be written to.
    """
    into = into or _source_tree()
    target = into / name
    if not NAME.fullmatch(name):
        raise InputError("a name of small letters, digits and hyphens", repr(name), "choose another")
    if target.exists() and not replace:
        raise InputError("a new name", f"{target}, which exists", "give --replace, or another name")
    folder = open_run(run)
    snapshot, metrics = _finished(folder), _measured(folder)
    _same(folder, snapshot, metrics)
    (record, log), draft = _told(folder, about), into / f".{name}.draft"
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        snapshot = _weights_alone(snapshot)
        saved = checkpoints.save(draft, snapshot)
        saved.rename(draft / WEIGHTS)
        write_json(draft / "run.json", record)
        write_json(draft / "metrics.json", metrics)
        write_whole(draft / "curve.jsonl", curve(log).encode())
        card = Card(name, record, metrics, log, (draft / WEIGHTS).stat().st_size, tuple(bad_at))
        write_whole(draft / "card.md", write_card(card).encode())
        total = size(draft) + sum(
            size(other) for other in into.iterdir() if other.is_dir() and other not in (draft, target)
        )
        if total > MOST_BYTES:
            do = "ship a smaller network, or fewer"
            raise InputError(f"at most {MOST_BYTES:,} bytes of shipped networks", f"{total:,}", do)
        if replace:
            shutil.rmtree(target, ignore_errors=True)
        draft.rename(target)
    except OSError as error:
        raise unwritable(target, error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target


def _source_tree() -> Path:
    """The package `models` of a source checkout; an installed one is nobody's to write to."""
    if (NETWORKS.parents[2] / "pyproject.toml").exists():
        return NETWORKS
    raise InputError("a source checkout of Saccade", "an installed one", "name a folder with --into")


def _finished(folder: RunFolder) -> Snapshot:
    snapshot = checkpoints.trained(folder.path)
    if snapshot is None or not snapshot.finished:
        found = "no checkpoint" if snapshot is None else f"step {snapshot.step} of {snapshot.facts.get('steps')}"
        do = "train it to its end: the same command goes on"
        raise InputError("a finished run", f"{found} in {folder.path}", do)
    return snapshot


def _measured(folder: RunFolder) -> dict[str, Any]:
    do = f"measure it first: saccade {folder.run.system} eval {folder.path}"
    path = results_folder(folder.path)
    if not (path / "metrics.json").exists():
        raise InputError("the metrics.json of an evaluation", f"none in {path}", do)
    metrics = read_json(path / "metrics.json", "the metrics.json of an evaluation")
    if metrics.get("split") != "test":
        raise InputError("metrics of the test images", f"split {metrics.get('split')!r:.40} in {path}", do)
    return metrics


def _same(folder: RunFolder, snapshot: Snapshot, metrics: dict[str, Any]) -> None:
    """An evaluation says which step it measured, since it does; an older one is believed."""
    if metrics.get("step", snapshot.step) != snapshot.step:
        found = f"metrics of step {metrics['step']} in {folder.path}"
        do = f"measure it again: saccade {folder.run.system} eval {folder.path}"
        raise InputError(f"metrics of the last step, {snapshot.step}", found, do)


def _weights_alone(snapshot: Snapshot) -> Snapshot:
    groups = {name.split("/", 1)[0] for name in snapshot.tensors}
    prefix = "ema/" if "ema" in groups else "model/"
    kept = {f"model/{k.removeprefix(prefix)}": t for k, t in snapshot.tensors.items() if k.startswith(prefix)}
    averaged = snapshot.facts.get("averaged", prefix == "ema/")
    return snapshot._replace(tensors=kept, facts=snapshot.facts | {"averaged": averaged})


def _told(folder: RunFolder, about: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The run.json and the log that the card is made of; a shipped network has its own, the log thinned to a curve."""
    data = read_record(folder.path) | to_dict(folder.run)
    if not is_shipped(folder.path):
        log = read_log(folder.path)
        return _record(folder, data, about, log), log
    lines = (folder.path / "curve.jsonl").read_text(encoding="utf-8").splitlines()
    return data | {"provenance": folder.provenance | {"about": about}}, [json.loads(line) for line in lines]


def _record(folder: RunFolder, data: dict[str, Any], about: str, log: list[dict[str, Any]]) -> dict[str, Any]:
    """run.json without the places of the machine that it was trained on, and with what the card says."""
    if "data_dir" in data["data"]:
        data["data"] = data["data"] | {"data_dir": None}
    if start := folder.run.train.start_from:
        data["train"] = data["train"] | {"start_from": Path(start).name}
    made = {key: value for key, value in folder.provenance.items() if key != "command"}
    data["provenance"] = made | {
        "command": shlex.split(command(folder.provenance)),
        "ancestors": _ancestors(folder),
        "about": about,
        "warned": sorted({warning for event in log for warning in event.get("warnings", ())}),
        "train_seconds": round(train_seconds(log)),
        "steps": log[-1]["steps"],
    }
    return data


def _ancestors(folder: RunFolder) -> list[str]:
    """The commands of the runs whose weights this one began with, the last one first; a shipped network knows those
    before it, whose folders may be gone."""
    found: list[str] = []
    start = folder.run.train.start_from
    while start is not None and len(found) < 10:
        try:
            before = open_run(start)
        except InputError:
            return [*found, f"(a run named {Path(start).name}, which is no longer there)"]
        found.append(command(before.provenance))
        if isinstance(known := before.provenance.get("ancestors"), list):
            return [*found, *map(str, known)]
        start = before.run.train.start_from
    return found
