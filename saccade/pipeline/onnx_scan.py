"""The loop over time in ONNX: a step's graph in a `Scan`, which is what an unroll is."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

Proto: TypeAlias = Any
"""A message of ONNX; onnx is imported only where it is used."""

MARK = "Software: Saccade"
"""In every file that is exported: Saccade may replace it, see `saccade.pipeline.outputs`."""


def scan(step: Proto, initial: Mapping[str, np.ndarray]) -> Proto:
    """Return the model of a whole unroll, of any number of steps, from the initial state.

    Args:
        step: the model of one step, with inputs `inputs...`, `state...`, `context...` and outputs `outputs...`,
            `after...`, see `saccade.pipeline.onnx_graph`.
        initial: the state before the first step by its names, each [1, ...].

    Returns:
        A model with inputs `inputs...` [T, B, ...] and `context...`, and outputs `outputs...` [T, B, ...], `after...`.
    """
    from onnx import helper

    inner, inputs = step.graph, {item.name: item for item in step.graph.input}
    sequence = [name for name in inputs if name.startswith("inputs")]
    states = [name for name in inputs if name.startswith("state")]
    outputs = [item.name for item in inner.output if item.name.startswith("outputs")]
    after = [item.name for item in inner.output if item.name.startswith("after")]
    own = {*sequence, *states, *outputs, *after}
    passed = [item for item in inner.initializer if item.name in own]  # an output that is a constant
    body = helper.make_graph(
        [
            *(_renamed(node, own) for node in inner.node),
            *(helper.make_node("Identity", [f"constant.{item.name}"], [f"step.{item.name}"]) for item in passed),
        ],
        "step",
        [_value(inputs[name], f"step.{name}") for name in (*states, *sequence)],
        [_value(item, f"step.{item.name}") for item in _in_order(inner.output, (*after, *outputs))],
    )
    nodes, begins = _beginnings(sequence[0], {name: initial[name] for name in states})
    constants = [item for item in inner.initializer if item.name not in own]
    constants += [*begins, *(_value(item, f"constant.{item.name}") for item in passed)]
    loop = helper.make_node(
        "Scan", [*(f"begin.{name}" for name in states), *sequence], [*after, *outputs], num_scan_inputs=len(sequence)
    )
    loop.attribute.append(helper.make_attribute("body", body))
    context = [item for name, item in inputs.items() if name.startswith("context")]
    graph = helper.make_graph(
        [*nodes, loop],
        "unroll",
        [*(_value(inputs[name], name, "steps") for name in sequence), *context],
        [
            *(_value(item, item.name, "steps") for item in _in_order(inner.output, (*outputs,))),
            *_in_order(inner.output, (*after,)),
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=step.opset_import, ir_version=step.ir_version)
    helper.set_model_props(model, {"made_by": MARK})
    return model


def _beginnings(sequence: str, initial: Mapping[str, np.ndarray]) -> tuple[list[Proto], list[Proto]]:
    """Return nodes and constants that expand the initial state to the batch of `sequence` [T, B, ...]."""
    from onnx import helper, numpy_helper

    nodes, constants = [helper.make_node("Shape", [sequence], ["batch"], start=1, end=2)], []
    for name, value in initial.items():
        constants.append(numpy_helper.from_array(value, f"initial.{name}"))
        constants.append(numpy_helper.from_array(np.array(value.shape[1:], np.int64), f"shape.{name}"))
        nodes.append(helper.make_node("Concat", ["batch", f"shape.{name}"], [f"whole.{name}"], axis=0))
        nodes.append(helper.make_node("Expand", [f"initial.{name}", f"whole.{name}"], [f"begin.{name}"]))
    return nodes, constants


def _in_order(items: Proto, names: Sequence[str]) -> list[Proto]:
    by_name = {item.name: item for item in items}
    return [by_name[name] for name in names]


def _renamed(node: Proto, own: set[str]) -> Proto:
    """Return a node whose names in `own` are those of the loop's body: a name may have one meaning only."""
    copy = type(node)()
    copy.CopyFrom(node)
    for names in (copy.input, copy.output):
        for index, name in enumerate(names):
            if name in own:
                names[index] = f"step.{name}"
    return copy


def _value(item: Proto, name: str, first: str | None = None) -> Proto:
    """Return a value's description under another name, with one more axis in front of it."""
    copy = type(item)()
    copy.CopyFrom(item)
    copy.name = name
    if first is not None:
        shape = copy.type.tensor_type.shape
        axes = list(shape.dim)
        del shape.dim[:]
        shape.dim.add().dim_param = first
        shape.dim.extend(axes)
    return copy
