"""Types of JSON: what `json.loads` returns, and what the JSON files of a run hold."""

from collections.abc import Mapping
from typing import Any, TypeAlias

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"
"""A value that JSON can hold."""

Record: TypeAlias = dict[str, Any]
"""A JSON object whose keys the reader knows: run.json, metrics.json, a line of log.jsonl."""

Values: TypeAlias = Mapping[str, Any]
"""The same, read-only; also the settings of a table, by field."""
