"""Config dataclasses as command-line options: a field is an option, its docstring the help, its constraints shown.

A command gets a signature made from the fields, which is all that typer reads; what the user really typed is told
from the defaults by the source that the parser notes for every option.
"""

import dataclasses
import inspect
import shlex
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, get_args, get_origin

import typer

from saccade.pipeline import systems
from saccade.pipeline.config import TABLES, AnyRun, default_run, override

BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
PANELS = {"data": "Data (table data in TOML)", "model": "Model (table model)", "train": "Training (table train)"}


def flag(field: str) -> str:
    """The option of a field: `--batch-size` for batch_size."""
    return "--" + field.replace("_", "-")


def with_options(command: Callable[..., None], tables: Mapping[str, Any]) -> Callable[..., None]:
    """Return `command(ctx, ..., given=...)` with one more option for every field of the config dataclasses in `tables`.

    A table is an instance of a config dataclass, whose values are the defaults.

    `given` receives what the user typed, table -> field -> value, for `apply`.
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


def apply(run: AnyRun, given: Mapping[str, Mapping[str, Any]]) -> AnyRun:
    """The run with what was typed on the command line in place of its own values.

    Raises:
        InputError: a value out of range; the error names the option.
    """
    return override(run, {table: given[table] for table in TABLES if given.get(table)}, lambda _, key: flag(key))


def typed(run: AnyRun) -> str:
    """The options that make this run out of its system's defaults, as one would type them; `apply`'s inverse."""
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


def _options(table: str, config: Any) -> list[inspect.Parameter]:
    fields = config.__pydantic_fields__.items()
    default = lambda name, field: field.default if isinstance(config, type) else getattr(config, name)  # noqa: E731
    return [_option(name, field, PANELS[table], default(name, field)) for name, field in fields]


def _option(name: str, field: Any, panel: str, default: Any) -> inspect.Parameter:
    bounds = [
        f"{words} {getattr(bound, key):g}"
        for bound in field.metadata
        for key, words in BOUNDS.items()
        if hasattr(bound, key)
    ]
    text = " ".join((field.description or "").split()) + (f" ({', '.join(bounds)})" if bounds else "")
    kind = field.annotation
    if kind is bool:
        option = typer.Option(f"{flag(name)}/--no-{flag(name)[2:]}", help=text, rich_help_panel=panel)
    else:  # what is typed reaches the config's own checks as it is, so that the error says what was found
        parser, metavar = lambda typed: _number(typed, kind), _metavar(kind)
        option = typer.Option(flag(name), help=text, rich_help_panel=panel, parser=parser, metavar=metavar)
    annotation = Annotated[kind, option]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _number(typed: Any, kind: Any) -> Any:
    """The int or float that a text stands for, if that is what is wanted and it stands for one; else the text."""
    try:
        return kind(typed) if kind in (int, float) else typed
    except ValueError:
        return typed


def _metavar(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return "|".join(map(str, get_args(kind)))
    return kind.__name__ if kind in (int, float) else "text"
