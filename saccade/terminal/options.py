"""Config dataclasses as command-line options: a field becomes an option, with its docstring as the help.

A command gets a signature made from the fields, which is all that typer reads. The parser records the source of every
option's value; options whose source is the command line are the ones that the user typed.
"""

import dataclasses
import inspect
import shlex
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, get_args, get_origin

import typer

from saccade.pipeline import systems
from saccade.pipeline.config import TABLES, AnyRun, default_run, override

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
PANELS = {"data": "Data (table data in TOML)", "model": "Model (table model)", "train": "Training (table train)"}
NUMBERS: Mapping[object, Callable[[str], int | float]] = {int: int, float: float}

Given: TypeAlias = Mapping[str, Mapping[str, object]]
"""The settings that the user typed: table -> field -> value."""


def flag(field: str) -> str:
    """Return the option of a field: `--batch-size` for batch_size; `--from` for from_ (from is a Python keyword)."""
    return "--" + field.strip("_").replace("_", "-")


def with_options(command: Callable[..., None], tables: Mapping[str, object]) -> Callable[..., None]:
    """Return `command(ctx, ..., given=...)` with one more option for every field of the config dataclasses in `tables`.

    Args:
        command: its parameter `given` receives what the user typed, for `apply`.
        tables: instances of config dataclasses by table; their values are the defaults.
    """
    own = [parameter for name, parameter in inspect.signature(command).parameters.items() if name != "given"]
    fields = {table: {option.name: option for option in _options(table, config)} for table, config in tables.items()}
    signature = inspect.Signature([*own, *(option for options in fields.values() for option in options.values())])

    def wrapped(**arguments: Any) -> None:
        typed = {name for name in arguments if _typed(arguments["ctx"], name)}
        values = {
            table: {name: arguments.pop(name) for name in options if name in arguments}
            for table, options in fields.items()
        }
        given = {table: {n: v for n, v in options.items() if n in typed} for table, options in values.items()}
        command(**arguments, given=given)

    wrapped.__signature__ = signature  # pyright: ignore[reportFunctionMemberAccess]
    wrapped.__doc__ = command.__doc__
    return wrapped


def apply(run: AnyRun, given: Given) -> AnyRun:
    """Return the run with the settings from the command line in place of its own.

    Raises:
        InputError: a value out of range; the error names the option.
    """
    return override(run, {table: given[table] for table in TABLES if given.get(table)}, lambda _, key: flag(key))


def typed(run: AnyRun) -> str:
    """Return the command-line options that turn the system's default run into this run; the inverse of `apply`."""
    default, words = default_run(run.system, systems.spec(run.system)), []
    for table in TABLES:
        own, usual = getattr(run, table), getattr(default, table)
        for field in dataclasses.fields(own):
            value = getattr(own, field.name)
            if value == getattr(usual, field.name):
                continue
            name = flag(field.name)
            words += [name if value else f"--no-{name[2:]}"] if isinstance(value, bool) else [name, str(value)]
    return shlex.join(words)


def _typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _options(table: str, config: object) -> list[inspect.Parameter]:
    fields: Mapping[str, FieldInfo] = getattr(config, FIELDS)
    default = lambda name, field: field.default if isinstance(config, type) else getattr(config, name)  # noqa: E731
    return [_option(name, field, PANELS[table], default(name, field)) for name, field in fields.items()]


FIELDS = "__pydantic_fields__"


def _option(name: str, field: "FieldInfo", panel: str, default: object) -> inspect.Parameter:
    bounds = [
        f"{words} {getattr(bound, key):g}"
        for bound in field.metadata
        for key, words in BOUNDS.items()
        if hasattr(bound, key)
    ]
    text = " ".join((field.description or "").split()) + (f" ({', '.join(bounds)})" if bounds else "")
    kind: Any = field.annotation
    if kind is bool:
        option = typer.Option(f"{flag(name)}/--no-{flag(name)[2:]}", help=text, rich_help_panel=panel)
    else:  # the config checks the typed value itself, so that the error shows it
        parser, metavar = lambda text: _number(text, kind), _metavar(kind)
        option = typer.Option(flag(name), help=text, rich_help_panel=panel, parser=parser, metavar=metavar)
    annotation = Annotated[kind, option]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _number(text: str, kind: object) -> str | int | float:
    """Return the text as an int or a float if `kind` is that type and the text is one; else the text itself."""
    try:
        return NUMBERS[kind](text) if kind in NUMBERS else text
    except ValueError:
        return text


def _metavar(kind: object) -> str:
    if get_origin(kind) is Literal:
        return "|".join(map(str, get_args(kind)))
    return {int: "int", float: "float"}.get(kind, "text") if isinstance(kind, type) else "text"
