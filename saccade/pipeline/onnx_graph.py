"""Export of a core as an ONNX graph: one step or a whole unroll, checked by ONNX Runtime against PyTorch.

The names of a graph's inputs and outputs are paths into the core's trees: `inputs.noise`, `state.core.h`, `context`,
`outputs.location`, `after.core.h`. The first axis of every one is the batch, of any size; in a whole unroll the inputs
and the outputs have the steps before it.
"""

import contextlib
import copy
import importlib.util
import io
import logging
import warnings
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn

from saccade.errors import InputError
from saccade.json_types import Record
from saccade.pipeline.checkpoint.atomic_files import write_json, write_whole
from saccade.pipeline.graph import Graph
from saccade.pipeline.onnx_scan import MARK, scan
from saccade.recurrent.core import AnyCore
from saccade.recurrent.tree import Tree, count, map_tensors, named_tensors, take
from saccade.recurrent.unroll import unroll

TOLERANCE = 1e-5
"""Largest difference between ONNX Runtime and PyTorch over a whole unroll: of each output at each step, relative to the
largest magnitude in it where that is above 1. DRAW's canvas is in logits of up to 40, of which float32 itself has
1e-5."""

OPSET = 20

PREFIXES = ("inputs", "state", "context")


class Exported(NamedTuple):
    """A graph that was written."""

    path: Path
    steps: int
    inputs: dict[str, list[int]]
    """Names and shapes, without the batch."""
    outputs: list[str]
    initial: dict[str, list[Any]]
    """The state before the first step, without the batch; a whole unroll starts from it by itself."""
    difference: float
    """Largest difference from PyTorch over the whole example, see `TOLERANCE`."""


class _Flat(nn.Module):
    """One step of a core, from a list of tensors to a tuple of tensors."""

    def __init__(self, core: AnyCore, trees: tuple[Tree, Tree, Tree]) -> None:
        super().__init__()
        self.core, self.trees = core, trees

    def forward(self, leaves: list[Tensor]) -> tuple[Tensor, ...]:
        remaining = iter(leaves)
        inputs, state, context = (map_tensors(lambda _: next(remaining), tree) for tree in self.trees)
        inputs = map_tensors(lambda leaf: leaf[None], inputs)
        # with `on_state` the core is stepped: a fused unroll has operations of its own
        outputs, after = unroll(self.core, inputs, state, context, on_state=lambda _: None)
        return (*named_tensors(take(outputs, 0)).values(), *named_tensors(after).values())


def export(graph: Graph, path: Path, *, whole: bool = False) -> Exported:
    """Write a core's step, or its whole unroll, as an ONNX file; check it by ONNX Runtime first.

    Args:
        whole: the unroll over all steps of the example, from the initial state, in place of one step.

    Raises:
        InputError: packages that are missing, or a graph that differs from PyTorch by more than `TOLERANCE`.
    """
    require_packages()
    core = copy.deepcopy(graph.core).cpu().eval().requires_grad_(False)
    state = core.initial_state(count(graph.inputs, axis=1))
    trees = take(graph.inputs, 0), state, graph.context
    named = [named_tensors(tree, prefix) for tree, prefix in zip(trees, PREFIXES, strict=True)]
    leaves = {name: leaf.contiguous().clone() for part in named for name, leaf in part.items()}
    with torch.no_grad():
        expected = unroll(core, graph.inputs, state, graph.context)
        flat = _Flat(core, trees).eval()
        flat(list(leaves.values()))  # once before: a core may keep tables
    out_names = [*named_tensors(expected[0], "outputs"), *named_tensors(expected[1], "after")]
    model = _recorded(flat, leaves, out_names)
    initial = {name: leaf[:1] for name, leaf in named[1].items()}
    if whole:
        model = scan(model, {name: leaf.numpy() for name, leaf in initial.items()})
    data = model.SerializeToString()
    difference = _difference(data, graph, state, expected, whole)
    if not difference <= TOLERANCE:
        found = f"a difference of {difference:.2g}"
        raise InputError(f"a graph within {TOLERANCE:g} of PyTorch", found, "report it with the network's settings")
    write_whole(path, data)
    shapes = {name: list(leaf.shape[1:]) for name, leaf in leaves.items()}
    begin = {name: leaf[0].tolist() for name, leaf in initial.items()}
    return Exported(path, count(graph.inputs), shapes, out_names, begin, difference)


def write(graph: Graph, step: Path, whole: Path, description: Path) -> Record:
    """Write a core's step, its whole unroll, and a JSON file that describes both; errors as `export`."""
    one, loop = export(graph, step), export(graph, whole, whole=True)
    found = {
        "steps": one.steps,
        "difference": max(one.difference, loop.difference),
        "inputs": one.inputs,
        "outputs": one.outputs,
    }
    write_json(description, {"made_by": MARK, **found, "initial_state": one.initial})
    return {"wrote": [str(step), str(whole), str(description)], **found}


def require_packages() -> None:
    """Check that the packages of an export are installed.

    Raises:
        InputError: one is not.
    """
    for name in ("onnx", "onnxscript", "onnxruntime"):
        if importlib.util.find_spec(name) is None:
            raise InputError(f"the package {name} for ONNX", "none", "pip install 'saccade[export]'")


def _recorded(flat: nn.Module, leaves: dict[str, Tensor], out_names: list[str]) -> Any:
    """Record a step as an ONNX model."""
    from onnx import helper

    shapes = ([{0: torch.export.Dim("batch")} for _ in leaves],)
    with warnings.catch_warnings(), _quiet():
        warnings.simplefilter("ignore")
        try:
            program: Any = torch.onnx.export(
                flat,
                (list(leaves.values()),),
                dynamo=True,
                dynamic_shapes=shapes,
                opset_version=OPSET,
                input_names=list(leaves),
                output_names=out_names,
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            do = "use it in PyTorch, or name another --graph"
            raise InputError("a step that ONNX can express", _reason(error), do) from None
    model = program.model_proto
    fixed = [item.name for item in model.graph.input if not item.type.tensor_type.shape.dim[0].dim_param]
    if fixed:
        do = "use x.shape[0], not len(x), and no chunk along the batch in the core"
        raise InputError("a core for batches of any size", f"one that fixes the size of {fixed[0]}", do)
    for node in model.graph.node:  # they tell where in the source a node comes from: paths of this machine
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer):
        del value.metadata_props[:]
    del model.graph.metadata_props[:]
    helper.set_model_props(model, {"made_by": MARK})
    return model


def _reason(error: BaseException) -> str:
    """Return why a step was not exported, in one line: the innermost cause's."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:160]


@contextlib.contextmanager
def _quiet() -> Any:
    """Keep the exporter's log, and what it prints, from the terminal."""
    loggers = [logging.getLogger(name) for name in ("torch", "torch.onnx", "torch.fx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _difference(data: bytes, graph: Graph, state: Tree, expected: tuple[Tree, Tree], whole: bool) -> float:
    """Return the largest difference between ONNX Runtime and PyTorch over the example's whole unroll."""
    run = Session(data)
    if whole:
        found = run(inputs=graph.inputs, context=graph.context)
        after, most = {name: value for name, value in found.items() if name.startswith("after")}, 0.0
        wanted = named_tensors(expected[0], "outputs")
        most = max(_apart(step, found[name][t]) for name, value in wanted.items() for t, step in enumerate(value))
    else:
        after, most = named_tensors(state, "after"), 0.0
        for t in range(count(graph.inputs)):
            found = run(inputs=take(graph.inputs, t), after=after, context=graph.context)
            after = {name: value for name, value in found.items() if name.startswith("after")}
            wanted = named_tensors(take(expected[0], t), "outputs")
            most = max(most, *(_apart(value, found[name]) for name, value in wanted.items()))
    ends = named_tensors(expected[1], "after")
    return max(most, *(_apart(value, cast(Any, after[name])) for name, value in ends.items()))


def _apart(expected: Tensor, found: Any) -> float:
    """Return the largest difference of two arrays, relative to the largest expected magnitude where it is above 1."""
    want = expected.detach().double().numpy()
    apart = np.abs(want - np.asarray(found, np.float64))
    if not np.isfinite(apart).all():
        return float("inf")
    return float(apart.max(initial=0.0) / max(1.0, np.abs(want).max(initial=0.0)))


class Session:
    """An ONNX file in ONNX Runtime, on one thread."""

    def __init__(self, data: bytes | Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        source = data if isinstance(data, bytes) else str(data)
        self._session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        self.inputs = [item.name for item in self._session.get_inputs()]
        self.outputs = [item.name for item in self._session.get_outputs()]

    def __call__(self, **trees: Any) -> dict[str, np.ndarray]:
        """Run it on trees by their names (inputs, state, context), or on what it returned as `after`."""
        given = {
            name: value.detach().numpy() if isinstance(value, Tensor) else value
            for name, value in trees.pop("after", {}).items()
        }
        feed = {
            name.replace("after", "state", 1): value.detach().numpy() if isinstance(value, Tensor) else value
            for name, value in given.items()
        }
        for prefix, tree in trees.items():
            feed |= {name: leaf.detach().numpy() for name, leaf in named_tensors(tree, prefix).items()}
        feed = {name: value for name, value in feed.items() if name in self.inputs}
        return dict(zip(self.outputs, cast(Any, self._session.run(None, feed)), strict=True))
