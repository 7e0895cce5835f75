"""Fuzz one reader, guided by coverage: `python tests/fuzz/fuzz.py READER SECONDS` (make fuzz does it for all).

New inputs are kept in runs/fuzz/READER; one that breaks a promise ends the search, and its path is printed. Add it to
tests/fuzz/seeds/READER, which `make test` replays.
"""

import atexit
import shutil
import sys
from pathlib import Path

import atheris

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
with atheris.instrument_imports(  # pyright: ignore[reportAttributeAccessIssue]
    include=["saccade", "tomllib", "json", "PIL"]
):
    import readers

SECONDS_AN_INPUT = 60  # a hang, even on a machine with much else to do
MOST_MB = 1500
LONGEST = {"config": 2000, "image": 1500}


def main() -> None:
    """Run libFuzzer on the reader that was named, for so many seconds."""
    reader, seconds = sys.argv[1], int(sys.argv[2])
    kept = Path("runs/fuzz", reader)
    kept.mkdir(parents=True, exist_ok=True)
    atexit.register(shutil.rmtree, readers.FOLDER, ignore_errors=True)
    limits = [f"-timeout={SECONDS_AN_INPUT}", f"-rss_limit_mb={MOST_MB}", f"-max_len={LONGEST.get(reader, 1000)}"]
    options = [f"-max_total_time={seconds}", f"-artifact_prefix={kept.parent}/{reader}-", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *limits, *options, str(kept), str(readers.SEEDS / reader)], readers.READERS[reader])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
