"""A running studio for the tests here, and what they share."""

import json
import os
import subprocess
import sys
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

SEVEN = [[(0.28, 0.25), (0.72, 0.25), (0.45, 0.85)]]
"""A seven in parts of a pad."""


class Quiet(SimpleHTTPRequestHandler):
    """A file server that does not write a line for every request."""

    def log_message(self, *_: object) -> None:  # type: ignore[override]
        """Write nothing."""


class Studio:
    """A running `saccade studio`."""

    def __init__(self, *options: str) -> None:
        command = [sys.executable, "-m", "saccade", "studio", "--no-browser", "--json", *options]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        assert self.process.stdout is not None
        self.url: str = json.loads(self.process.stdout.readline())["url"]
        self.talk = self.url.partition("?")[0].replace("http", "ws") + "talk"
        self.origin = self.url.partition("?")[0].rstrip("/")

    def memory(self) -> int:
        """Return its resident memory in bytes."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGESIZE")

    def close(self) -> str:
        """Stop it, and return what it wrote on stderr."""
        self.process.terminate()
        return self.process.communicate(timeout=20)[1]


def serious(found: Any) -> list[str]:
    """Return axe's serious and critical findings, a line each."""
    return [
        f"{one['id']}: {node['html'][:120]} {node['failureSummary'][:200]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]
