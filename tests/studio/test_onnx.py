"""Exported graphs agree with PyTorch over whole unrolls, for every shipped network and batches of any size."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from saccade.errors import InputError
from saccade.pipeline import onnx_graph
from saccade.pipeline.checkpoint.locate import shipped_names
from saccade.pipeline.graph import Graph, graphs
from saccade.pipeline.trained import open_trained
from saccade.recurrent.cells import GRU
from saccade.recurrent.tree import count, map_tensors, named_tensors, take
from saccade.recurrent.unroll import unroll

pytest.importorskip("onnxscript", reason="pip install 'saccade[export]'")

QUICK = [("ram-mnist", "network")]
NOT_IN_ONNX = (
    *("actions-msr", "caption-flickr8k", "frames-grid", "lips-grid", "next-moving", "track-moving", "translate-de-en"),
)
"""Their cores look at values to choose what to compute, or have complex numbers: see docs/studio.md."""
ALL = [
    (name, graph)
    for name in shipped_names()
    for graph in ("network", "encoder", "generator")
    if name not in NOT_IN_ONNX
]


def agrees(name: str, part: str, folder: Path) -> None:
    """Export a step and an unroll, and run both on one example more than they were recorded with."""
    found = graphs(open_trained(name))
    if part not in found:
        pytest.skip(f"{name} has no {part}")
    graph = found[part]
    more = Graph(graph.core, _one_more(graph.inputs, 1), _one_more(graph.context, 0))
    steps, batch = count(graph.inputs), count(more.inputs, axis=1)
    with torch.no_grad():
        state = graph.core.initial_state(batch)
        outputs, after = unroll(graph.core, more.inputs, state, more.context)
    expected = {name: leaf.numpy() for name, leaf in named_tensors(outputs, "outputs").items()}
    onnx_graph.export(graph, folder / "step.onnx")
    onnx_graph.export(graph, folder / "unroll.onnx", whole=True)
    step, whole = (onnx_graph.Session(folder / f"{kind}.onnx") for kind in ("step", "unroll"))
    once = whole(inputs=more.inputs, context=more.context)
    now: Any = named_tensors(state, "after")
    for t in range(steps):
        stepped = step(inputs=take(more.inputs, t), after=now, context=more.context)
        now = {key: value for key, value in stepped.items() if key.startswith("after")}
        for key, value in expected.items():
            scale = max(1.0, np.abs(value[t].astype(float)).max())
            for other in (stepped[key], once[key][t]):
                assert np.abs(value[t].astype(float) - other.astype(float)).max() <= 1e-5 * scale, (key, t)
    for key, leaf in named_tensors(after, "after").items():
        np.testing.assert_allclose(now[key], leaf.detach().numpy(), atol=1e-4)


def _one_more(tree: Any, axis: int) -> Any:
    if tree is None:
        return None
    return map_tensors(lambda leaf: torch.cat([leaf, take(leaf, slice(0, 1), axis)], dim=axis), tree)


@pytest.mark.parametrize(("name", "part"), QUICK)
def test_steps_and_unrolls_agree(name: str, part: str, tmp_path: Path) -> None:
    agrees(name, part, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "part"), ALL)
def test_steps_and_unrolls_of_every_shipped_network_agree(name: str, part: str, tmp_path: Path) -> None:
    agrees(name, part, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", NOT_IN_ONNX)
def test_a_network_that_onnx_cannot_express_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    try:
        graph = next(iter(graphs(open_trained(name)).values()))
    except InputError as error:
        pytest.skip(f"no data: {error}")
    with pytest.raises(InputError, match="a step that ONNX can express") as caught:
        onnx_graph.export(graph, tmp_path / "g.onnx")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_files_carry_the_mark_and_no_path_of_this_machine(tmp_path: Path) -> None:
    core = GRU(3, 4)
    graph = Graph(core, torch.randn(5, 3, 3))
    written = onnx_graph.write(graph, *(tmp_path / name for name in ("g.onnx", "g-unroll.onnx", "g.json")))
    assert written["difference"] <= 1e-5
    described = json.loads((tmp_path / "g.json").read_text())
    assert described["inputs"] == {"inputs": [3], "state.h": [4]}
    assert described["initial_state"] == {"state.h": [0.0] * 4}
    for name in written["wrote"]:
        data = Path(name).read_bytes()
        assert b"Software: Saccade" in data
        assert b".py" not in data


class Fixed(GRU):
    """A core that writes its batch into its graph."""

    def forward(self, inputs: Any, state: Any, context: Any = None) -> Any:
        output, state = super().forward(inputs, state, context)
        return output.view(len(output), -1), state


def test_a_core_that_fixes_the_batch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="batches of any size"):
        onnx_graph.export(Graph(Fixed(3, 4), torch.randn(5, 3, 3)), tmp_path / "g.onnx")
    assert not (tmp_path / "g.onnx").exists()
