"""The shipped network: it translates as it did when it was published."""

import pytest

import saccade
from saccade.pipeline.checkpoint.locate import shipped_names
from saccade.translate.commands import DEFAULT
from saccade.translate.translator import Translator
from tests.cli.conftest import saccade as command

KNOWN = {
    "Ein Mann sitzt auf einer Bank.": "A man is sitting on a bench.",
    "Zwei Hunde spielen im Schnee.": "Two dogs play in the snow.",
}


@pytest.fixture(scope="module")
def network() -> Translator:
    if DEFAULT.name not in shipped_names():
        pytest.skip(f"{DEFAULT} is not trained yet")
    opened = saccade.load(DEFAULT.name)
    assert isinstance(opened, Translator)
    return opened


def test_it_translates_as_before(network: Translator) -> None:
    assert {one.source: one.text for one in network.write(list(KNOWN))} == KNOWN


def test_it_is_the_default(network: Translator) -> None:
    (sentence, text), *_ = KNOWN.items()
    assert command("translate", "write", sentence).out == f"{text}\n"
    assert network.facts.source == "de"
