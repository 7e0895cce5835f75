"""Every installed system as a group of verbs in the command line.

`saccade --help` reads only the docstring of each system's package; a system's modules are imported when one of its
verbs is called.
"""

import ast
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from typer.core import TyperGroup

from saccade.pipeline import systems

if TYPE_CHECKING:  # typer has its own copy of click, and no public name for its types
    from typer._click.core import Command, Context


class SystemGroup(TyperGroup):
    """The verbs of one system; built when one of them, or the group's help, is needed."""

    def __init__(self, system: str) -> None:
        super().__init__(name=system, help=about(system), no_args_is_help=True)
        self.system = system
        self._built: TyperGroup | None = None

    @property
    def built(self) -> TyperGroup:
        """The typer group of the system's verbs."""
        if self._built is None:
            from saccade.terminal.verbs import verbs_of

            app = typer.Typer(help=self.help)
            app.callback()(lambda: None)
            for verb, command in verbs_of(self.system).items():
                app.command(verb)(command)
            group = typer.main.get_command(app)
            assert isinstance(group, TyperGroup)
            self._built = group
        return self._built

    def list_commands(self, ctx: "Context") -> list[str]:
        """Return the names of the system's verbs in their order."""
        return self.built.list_commands(ctx)

    def get_command(self, ctx: "Context", cmd_name: str) -> "Command | None":
        """Return a verb, or None if the system has no such verb."""
        return self.built.get_command(ctx, cmd_name)


def with_systems(group: type[TyperGroup]) -> type[TyperGroup]:
    """Return a subclass of a typer group whose commands are its own and those of every installed system."""

    class WithSystems(group):  # type: ignore[misc, valid-type]
        def list_commands(self, ctx: "Context") -> list[str]:
            return [*systems.names(), *super().list_commands(ctx)]

        def get_command(self, ctx: "Context", cmd_name: str) -> "Command | None":
            own = super().get_command(ctx, cmd_name)
            return own or (SystemGroup(cmd_name) if cmd_name in systems.packages() else None)

    return WithSystems


def about(system: str) -> str:
    """Return the first sentence of a system's package docstring, read without importing the package."""
    package = systems.packages()[system]
    try:
        module = importlib.util.find_spec(package)
        text = ast.get_docstring(ast.parse(Path(module.origin).read_bytes())) if module and module.origin else None
    except (ImportError, OSError, SyntaxError, ValueError):  # the help of the other systems must not fail with it
        text = None
    return (text or f"The package {package}.").partition("\n\n")[0].replace("\n", " ")
