"""Goldens: the parameter names and shapes of the shipped networks, so that their files stay readable.

`python -m tests.goldens.test_goldens`, run in the repository's root, writes them again.
"""

from pathlib import Path

import pytest

import saccade
from saccade.pipeline.checkpoint.locate import shipped_names

GOLDENS = Path(__file__).parent
REGENERATE = "if the change is meant, run: python -m tests.goldens.test_goldens"


def listing(name: str) -> str:
    """Return a line for every parameter and buffer of a network, freshly built from the shipped settings."""
    network = saccade.load(name)
    fresh = network.system.build(network.config, network.facts)
    assert fresh.state_dict().keys() == network.core.state_dict().keys()
    return "".join(f"{key} {list(tensor.shape)}\n" for key, tensor in fresh.state_dict().items())


def golden(name: str) -> Path:
    return GOLDENS / f"{name}.txt"


@pytest.mark.parametrize("name", shipped_names())
def test_parameters_keep_their_names_and_shapes(name: str) -> None:
    assert golden(name).is_file(), f"no golden of {name}; {REGENERATE}"
    assert listing(name) == golden(name).read_text(), f"the parameters of {name} differ from its golden; {REGENERATE}"


def test_every_golden_has_its_network() -> None:
    assert {file.stem for file in GOLDENS.glob("*.txt")} == set(shipped_names())


if __name__ == "__main__":
    for each in shipped_names():
        golden(each).write_text(listing(each))
        print(golden(each))
