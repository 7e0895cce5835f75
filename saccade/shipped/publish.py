"""Make a shipped network from a finished run: weights, settings, metrics, learning curve and model card."""

import json
import re
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from saccade.errors import InputError
from saccade.json_types import Record
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

MOST_BYTES = 40_000_000
"""Largest total size of all shipped networks."""

MOST_BYTES_OF_A_SYSTEM = 12_000_000
"""Largest total size of the shipped networks of one system."""

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class RunHistory(NamedTuple):
    """The parts of a run that its model card needs."""

    record: Record
    """The content of run.json."""
    log: list[Record]
    """The lines of log.jsonl, or of a shipped network's curve.jsonl."""


def add(
    run: Path,
    name: str,
    about: str,
    bad_at: Sequence[str] = (),
    into: Path | None = None,
    *,
    half: bool = False,
    replace: bool = False,
) -> Path:
    """Write the folder NAME of a finished and measured run into `saccade/shipped/networks`, or into the folder `into`.

    Of the checkpoint only the weights are kept: the averaged ones, if the run kept an average. An interrupted call
    leaves no folder. The run may also be a shipped network that was measured again: its weights, settings and curve
    stay the same.

    Args:
        about: description of the network in one line.
        bad_at: known weaknesses that the metrics do not show.
        half: store the weights in 16 bits (float16). Measure the network again afterwards, by its name, and add it
            once more, so that the card's metrics are of what is stored.

    Raises:
        InputError: a run that is unfinished or has no metrics of the test split; an invalid or existing name; more
            than 12 MB for its system, or 40 MB in total; a folder that cannot be written to.
    """
    into = into or _source_tree()
    target = into / name
    _check_name(name, target, replace)
    folder = open_run(run)
    snapshot, metrics = _finished(folder), _metrics(folder)
    _check_step(folder, snapshot, metrics)
    history, draft = _history(folder, about), into / f".{name}.draft"
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        _write(draft, name, _weights_only(snapshot, half), history, metrics, bad_at)
        _check_size(into, draft, target)
        if replace:
            shutil.rmtree(target, ignore_errors=True)
        draft.rename(target)
    except OSError as error:
        raise unwritable(target, error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target


def _check_name(name: str, target: Path, replace: bool) -> None:
    """Check that a shipped network can have that name and folder."""
    if not NAME.fullmatch(name):
        raise InputError("a name of small letters, digits and hyphens", repr(name), "choose another name")
    if target.exists() and not replace:
        raise InputError("a new name", f"{target}, which exists", "give --replace, or another name")
    if target.exists() and not (target / WEIGHTS).is_file():  # --replace would remove whatever is there
        raise InputError("a shipped network to replace", f"something else at {target}", "choose another name")


def _write(
    draft: Path, name: str, snapshot: Snapshot, history: RunHistory, metrics: Record, bad_at: Sequence[str]
) -> None:
    """Write the five files of a shipped network."""
    checkpoints.save(draft, snapshot).rename(draft / WEIGHTS)
    write_json(draft / "run.json", history.record)
    write_json(draft / "metrics.json", metrics)
    kept = curve(history.log)
    write_whole(draft / "curve.jsonl", kept.encode())
    log = [json.loads(line) for line in kept.splitlines()]  # of what is kept, so that the card can be made again
    bits = "float16" if any(tensor.dtype == torch.float16 for tensor in snapshot.tensors.values()) else "float32"
    card = Card(name, history.record, metrics, log, (draft / WEIGHTS).stat().st_size, bits, tuple(bad_at))
    write_whole(draft / "card.md", write_card(card).encode())


def _check_size(into: Path, draft: Path, target: Path) -> None:
    """Check the total sizes of the shipped networks after `draft` replaces `target`."""
    others = [folder for folder in into.iterdir() if folder.is_dir() and folder not in (draft, target)]
    system = read_record(draft)["system"]
    same = [folder for folder in others if read_record(folder)["system"] == system]
    for folders, most, whose in ((others, MOST_BYTES, ""), (same, MOST_BYTES_OF_A_SYSTEM, f" of {system}")):
        total = size(draft) + sum(map(size, folders))
        if total > most:
            do = "ship a smaller network, or fewer"
            raise InputError(f"at most {most:,} bytes of shipped networks{whose}", f"{total:,}", do)


def _source_tree() -> Path:
    """Return the folder of the shipped networks in a source checkout; an installed package is not written to."""
    if (NETWORKS.parents[2] / "pyproject.toml").exists():
        return NETWORKS
    raise InputError("a source checkout of Saccade", "an installed package", "name a folder with --into")


def _finished(folder: RunFolder) -> Snapshot:
    """Return the last checkpoint of a finished run."""
    snapshot = checkpoints.trained(folder.path)
    if snapshot is None or not snapshot.finished:
        found = "no checkpoint" if snapshot is None else f"step {snapshot.step} of {snapshot.facts.get('steps')}"
        do = "repeat the training command to finish it"
        raise InputError("a finished run", f"{found} in {folder.path}", do)
    return snapshot


def _metrics(folder: RunFolder) -> Record:
    """Return the metrics of a run on the test split."""
    do = f"measure it first: saccade {folder.run.system} eval {folder.path}"
    path = results_folder(folder.path)
    if not (path / "metrics.json").exists():
        raise InputError("the metrics.json of an evaluation", f"none in {path}", do)
    metrics = read_json(path / "metrics.json", "the metrics.json of an evaluation")
    if metrics.get("split") != "test":
        raise InputError("metrics of the test images", f"split {metrics.get('split')!r:.40} in {path}", do)
    return metrics


def _check_step(folder: RunFolder, snapshot: Snapshot, metrics: Record) -> None:
    """Check that the metrics are of the checkpoint's step; metrics of older versions name no step and pass."""
    if metrics.get("step", snapshot.step) != snapshot.step:
        found = f"metrics of step {metrics['step']} in {folder.path}"
        do = f"measure it again: saccade {folder.run.system} eval {folder.path}"
        raise InputError(f"metrics of the last step, {snapshot.step}", found, do)


def _weights_only(snapshot: Snapshot, half: bool) -> Snapshot:
    """Return a snapshot without the optimizer, with the averaged weights if there are any; in float16 if `half`.

    Raises:
        InputError: weights too large for float16.
    """
    groups = {name.split("/", 1)[0] for name in snapshot.tensors}
    prefix = "ema/" if "ema" in groups else "model/"
    kept = {f"model/{k.removeprefix(prefix)}": t for k, t in snapshot.tensors.items() if k.startswith(prefix)}
    if half:
        kept = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in kept.items()}
        for name, tensor in kept.items():
            if not tensor.isfinite().all():
                raise InputError("weights up to 65504, for float16", f"larger ones in {name}", "leave --half out")
    averaged = snapshot.facts.get("averaged", prefix == "ema/")
    return snapshot._replace(tensors=kept, facts=snapshot.facts | {"averaged": averaged})


def _history(folder: RunFolder, about: str) -> RunHistory:
    """Return the run.json and the log for the card; a shipped network has its own, with the log thinned to a curve."""
    data = read_record(folder.path) | to_dict(folder.run)
    if not is_shipped(folder.path):
        log = read_log(folder.path)
        return RunHistory(_record(folder, data, about, log), log)
    lines = (folder.path / "curve.jsonl").read_text(encoding="utf-8").splitlines()
    record = data | {"provenance": {**folder.provenance, "about": about}}
    return RunHistory(record, [json.loads(line) for line in lines])


def _record(folder: RunFolder, data: Record, about: str, log: list[Record]) -> Record:
    """Return the content of run.json without the paths of the machine, and with the provenance that the card shows."""
    for place in ("data_dir", "features_dir"):
        if place in data["data"]:
            data["data"] = data["data"] | {place: None}
    if start := folder.run.train.start_from:
        data["train"] = data["train"] | {"start_from": Path(start).name}
    kept = {key: value for key, value in folder.provenance.items() if key != "command"}
    data["provenance"] = kept | {
        "command": shlex.split(command(folder.provenance)),
        "ancestors": _ancestors(folder),
        "about": about,
        "warned": sorted({warning for event in log for warning in event.get("warnings", ())}),
        "train_seconds": round(train_seconds(log)),
        "steps": log[-1]["steps"],
    }
    return data


def _ancestors(folder: RunFolder) -> list[str]:
    """Return the commands of the earlier runs that the weights come from, the latest first.

    The provenance of a shipped network lists its own ancestors, whose run folders may be deleted.
    """
    commands: list[str] = []
    start = folder.run.train.start_from
    while start is not None and len(commands) < 10:
        try:
            before = open_run(start)
        except InputError:
            return [*commands, f"(a run named {Path(start).name}, which is no longer there)"]
        commands.append(command(before.provenance))
        if isinstance(listed := before.provenance.get("ancestors"), list):
            return [*commands, *map(str, listed)]
        start = before.run.train.start_from
    return commands
