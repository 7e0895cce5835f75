"""The studio as static files: the same page and panels, with exported graphs on ONNX Runtime Web in Python's place."""

import gzip
import hashlib
import json
import lzma
from pathlib import Path

import numpy as np

from saccade.errors import InputError
from saccade.images import likeness
from saccade.json_types import Record
from saccade.pipeline import onnx_graph, systems
from saccade.pipeline.checkpoint.atomic_files import unwritable, write_whole
from saccade.pipeline.graph import graphs
from saccade.pipeline.panel import Panel
from saccade.pipeline.progress import track
from saccade.pipeline.trained import AnyTrained, open_trained
from saccade.studio import panels as own_panels

RUNTIME = Path(__file__).with_name("runtime")
"""ONNX Runtime Web, from its npm package: see README.md there."""

SCRIPTS = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "LICENSE")
WASM = "ort-wasm-simd-threaded.wasm"
PACKED = f"{WASM}.packed"
"""The program as the page loads and unpacks it, a quarter as large. Not .gz: some servers unpack that by themselves."""

WASM_SHA256 = "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2"

LARGEST = 25_000_000
"""Most bytes of the whole site."""

MARK = b"Software: Saccade"


def write_site(folder: Path) -> Record:
    """Write the page as static files that any web host serves; return what was written.

    Raises:
        InputError: the packages of an export are missing, or the folder holds something else than such a site.
    """
    onnx_graph.require_packages()
    _check(folder)
    found = {name: panel for name, panel in own_panels.panels().items() if panel.graphs}
    _copy(own_panels.PAGE, folder)
    _put(folder / "studio.json", json.dumps(own_panels.menu(found, live=False)).encode())
    for source in (likeness.WEIGHTS, likeness.FACTS):
        _put(folder / "kit" / source.name, source.read_bytes())
    for name in SCRIPTS:
        _put(folder / "runtime" / name, (RUNTIME / name).read_bytes())
    _put(folder / "runtime" / PACKED, gzip.compress(_wasm(), mtime=0))
    asked = [(name, graph) for name, panel in found.items() for graph in panel.graphs]
    trained: dict[str, AnyTrained] = {}
    described: dict[str, Record] = {name: {} for name in found}
    for name, (network, graph) in track(asked, "exporting the networks", len(asked)):
        if network not in trained:
            trained[network] = open_trained(network)
        target = folder / "panels" / name / f"{network}.{graph}.onnx"
        target.parent.mkdir(parents=True, exist_ok=True)
        exported = onnx_graph.export(graphs(trained[network])[graph], target)
        described[name][f"{network}.{graph}"] = {
            "initial": {key: _flat(value) for key, value in exported.initial.items()}
        }
    for name, panel in found.items():
        _panel(folder / "panels" / name, name, panel, trained, described[name])
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    if size > LARGEST:
        raise InputError(f"a site of at most {LARGEST:,} bytes", f"{size:,}", "export fewer panels")
    return {
        "wrote": [str(folder / "index.html")],
        "bytes": size,
        "next": [f"python -m http.server --directory {folder}"],
    }


def _panel(folder: Path, name: str, panel: Panel, trained: dict[str, AnyTrained], described: Record) -> None:
    """Write a panel's own files, its facts, and the description of its graphs."""
    _copy(own_panels.folder_of(name), folder)
    own = {network: trained.get(network) or open_trained(network) for network in panel.networks}
    facts = systems.module(name, "live").open_live(own, {}).facts
    _put(folder / "facts.json", json.dumps({**facts, "graphs": list(described)}).encode())
    _put(folder / "graphs.json", json.dumps(described).encode())


def _flat(value: object) -> Record:
    """Return nested lists as their shape and their values in one list."""
    values = np.asarray(value, np.float32)
    return {"shape": list(values.shape), "values": values.ravel().tolist()}


def _wasm() -> bytes:
    """Return ONNX Runtime's program, unpacked and checked."""
    data = lzma.decompress((RUNTIME / f"{WASM}.xz").read_bytes())
    found = hashlib.sha256(data).hexdigest()
    if found != WASM_SHA256:
        raise InputError(f"{WASM} with the checksum {WASM_SHA256[:12]}", found[:12], "install Saccade again")
    return data


def _check(folder: Path) -> None:
    """Check that a folder is empty, absent, or a site that Saccade wrote."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError("a folder for the site", f"a file at {folder}", "choose another name")
    index = folder / "index.html"
    if any(folder.iterdir()) and not (index.is_file() and MARK in index.read_bytes()):
        raise InputError("an empty folder, or a site that Saccade wrote", f"other files in {folder}", "choose another")


def _copy(source: Path, target: Path) -> None:
    for file in own_panels.files_of(source):
        _put(target / file, (source / file).read_bytes())


def _put(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error
    write_whole(path, data)
