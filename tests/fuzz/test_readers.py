"""The readers' promise, on inputs that once broke it and on what hypothesis thinks of; see also `make fuzz`."""

import json
import random
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saccade.pipeline.checkpoint.run_folder import open_run

sys.path.insert(0, str(Path(__file__).parent))
import readers

ALL = [(name, seed) for name in readers.READERS for seed in readers.seeds(name)]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "FOLDER", tmp_path_factory.mktemp("files"))


@pytest.mark.parametrize(("reader", "seed"), ALL, ids=[f"{name}-{seed.name}" for name, seed in ALL])
def test_seeds(reader: str, seed: Path) -> None:
    readers.READERS[reader](seed.read_bytes())


@pytest.mark.parametrize("reader", readers.READERS)
def test_any_bytes(reader: str) -> None:
    @given(st.binary(max_size=200))
    def promise(data: bytes) -> None:
        readers.READERS[reader](data)

    promise()


@pytest.mark.parametrize("reader", readers.READERS)
def test_damaged_files(reader: str) -> None:
    """Bytes changed, removed, repeated or put in, anywhere in a file that was whole."""
    whole = [seed.read_bytes() for seed in readers.seeds(reader)]

    @given(st.sampled_from(whole), st.integers(0, 2**32), st.integers(1, 4), st.binary(max_size=8))
    def promise(data: bytes, seed: int, changes: int, piece: bytes) -> None:
        chance, damaged = random.Random(seed), bytearray(data)
        for _ in range(changes):
            place, length = chance.randrange(len(damaged) + 1), chance.choice((0, 1, len(piece), 20))
            again = damaged[place : place + length] * chance.choice((0, 1, 5))
            damaged[place : place + length] = piece + again
        readers.READERS[reader](bytes(damaged))

    promise()


def words() -> st.SearchStrategy[object]:
    """What JSON can say, with numbers and names of every kind."""
    single = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(10**400)
    return st.recursive(single, lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=5), x, max_size=3))


@pytest.mark.parametrize("name", ["glimpse.json", "glimpse-format-2.json"])
def test_a_run_json_with_one_value_changed(name: str) -> None:
    honest = (readers.SEEDS / "run_json" / name).read_bytes()

    @given(st.data())
    def promise(data: st.DataObject) -> None:
        whole = json.loads(honest)
        table = data.draw(st.sampled_from(sorted(whole)))
        if isinstance(whole[table], dict) and whole[table]:
            whole[table][data.draw(st.sampled_from(sorted(whole[table])))] = data.draw(words())
        else:
            whole[table] = data.draw(words())
        readers.run_json(json.dumps(whole).encode())

    promise()


@pytest.mark.parametrize("seed", readers.seeds("run_json"), ids=lambda seed: seed.name)
def test_the_seeds_of_run_json_are_read(seed: Path, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_bytes(seed.read_bytes())
    assert open_run(tmp_path).run.system == "glimpse"
