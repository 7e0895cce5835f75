"""Every installed system as a group of verbs in the command line, its modules imported when one of them is called.

`saccade --help` reads of each system only its package's docstring.
"""

import ast
import importlib.util
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from saccade.pipeline import systems


class SystemGroup(TyperGroup):
    """The verbs of one system; made when one of them, or the group's help, is asked for."""

    def __init__(self, system: str) -> None:
        super().__init__(name=system, help=about(system), no_args_is_help=True)
        self.system = system
        self._made: TyperGroup | None = None

    @property
    def made(self) -> TyperGroup:
        """The group as typer makes it of the system's verbs."""
        if self._made is None:
            from saccade.terminal.verbs import verbs_of

            group = typer.Typer(help=self.help)
            group.callback()(lambda: None)
            for verb, command in verbs_of(self.system).items():
                group.command(verb)(command)
            made = typer.main.get_command(group)
            assert isinstance(made, TyperGroup)
            self._made = made
        return self._made

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the system's verbs in their order."""
        return self.made.list_commands(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a verb, or None."""
        return self.made.get_command(ctx, cmd_name)


def with_systems(group: type[TyperGroup]) -> type[TyperGroup]:
    """Return a subclass of a typer group whose commands are its own and those of every installed system."""

    class WithSystems(group):  # type: ignore[misc, valid-type]
        def list_commands(self, ctx: Any) -> list[str]:
            return [*systems.names(), *super().list_commands(ctx)]

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            own = super().get_command(ctx, cmd_name)
            return own or (SystemGroup(cmd_name) if cmd_name in systems.packages() else None)

    return WithSystems


def about(system: str) -> str:
    """Return the first sentence of a system's package docstring, read without importing the package."""
    package = systems.packages()[system]
    found = importlib.util.find_spec(package)
    source = Path(found.origin).read_text(encoding="utf-8") if found and found.origin else ""
    return (ast.get_docstring(ast.parse(source)) or package).partition("\n\n")[0].replace("\n", " ")
