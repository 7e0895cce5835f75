"""The house: who may import whom, what starts without torch, and bounds on sizes. No list of systems is needed."""

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

from saccade.pipeline import systems

ROOT = Path(__file__).parents[1]

SYSTEMS = set(systems.names())
LAYERS = (
    {"cli", "__main__"},
    {"bench", "cores", "studio"},
    SYSTEMS,
    {"tables", "shipped"},
    {"terminal", "videos"},
    {"images", "words", "gaze"},
    {"pipeline"},
    {"recurrent"},
    {"errors", "json_types"},
)
"""Packages of `saccade`, from the top down: a package imports only those below it."""

STAGES = ("train", "evaluate", "animate")
"""Stages of the pipeline: they meet in `session` and `trained`, and never import one another."""

MOST_LINES, MOST_FUNCTION_LINES = 250, 50
MOST_ANY = 200
LARGEST_ROOM = 0.30
CORE_LINES = 1_500
OPENINGS = ("What", "Whether", "Where", "How", "Which", "Who", "That")


@pytest.fixture(scope="module")
def imports() -> list[tuple[str, str]]:
    """All imports of one module of Saccade by another."""
    graph = grimp.build_graph("saccade")
    found = [(module, other) for module in graph.modules for other in graph.find_modules_directly_imported_by(module)]
    assert len(found) > 200
    assert any(module.startswith("saccade.glimpse.") for module, _ in found), "the linked folders are in the graph"
    return found


def room(module: str) -> str:
    """Return the package below `saccade` that a module belongs to; "" for `saccade` itself."""
    return ([*module.split("."), ""])[1]


def files() -> Iterator[tuple[Path, str]]:
    """Yield every source file of the package once, with its text."""
    for folder in sorted((ROOT / "saccade").iterdir()):
        found = sorted(folder.resolve().rglob("*.py")) if folder.is_dir() else [folder.resolve()]
        for file in found:
            if file.suffix == ".py":
                yield file, file.read_text(encoding="utf-8")


def useful_lines(text: str) -> int:
    """Count the lines that are neither blank nor comments."""
    return sum(1 for line in text.splitlines() if line.strip() and not line.strip().startswith("#"))


def functions(text: str) -> Iterator[ast.FunctionDef]:
    """Yield every function of a file."""
    yield from (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef))


def test_every_package_has_its_layer(imports: list[tuple[str, str]]) -> None:
    known = set().union(*LAYERS)
    assert {room(module) for module, _ in imports} - {""} <= known


def test_imports_go_down_only(imports: list[tuple[str, str]]) -> None:
    depth = {name: level for level, layer in enumerate(LAYERS) for name in layer}
    upward = [
        f"{module} -> {other}"
        for module, other in imports
        if room(module) and room(other) and depth[room(other)] < depth[room(module)]
    ]
    assert upward == []


def test_systems_never_import_one_another(imports: list[tuple[str, str]]) -> None:
    across = [
        f"{module} -> {other}"
        for module, other in imports
        if room(module) in SYSTEMS and room(other) in SYSTEMS and room(module) != room(other)
    ]
    assert across == []


def test_the_packages_of_a_layer_form_no_circle(imports: list[tuple[str, str]]) -> None:
    edges = {(room(module), room(other)) for module, other in imports if room(module) != room(other)}
    assert [(a, b) for a, b in edges if a and b and (b, a) in edges] == []


def test_the_stages_of_the_pipeline_meet_through_files(imports: list[tuple[str, str]]) -> None:
    def stage(module: str) -> str | None:
        return next((name for name in STAGES if module.startswith(f"saccade.pipeline.{name}.")), None)

    between = [(a, b) for a, b in imports if stage(a) and stage(b) and stage(a) != stage(b)]
    assert between == []
    below = ("saccade.pipeline.data.", "saccade.pipeline.checkpoint.")
    assert [(a, b) for a, b in imports if a.startswith(below) and stage(b)] == []


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import saccade", ("torch", "numpy", "pydantic")),
        ("import saccade.cli", ("torch", "numpy", "pydantic", "matplotlib")),
        ("from saccade.cli import app; app(['--help'], standalone_mode=False)", ("torch", "numpy", "pydantic")),
        ("from saccade.pipeline import systems; [systems.spec(n) for n in systems.names()]", ("torch", "numpy")),
        (
            (
                "from saccade.pipeline import systems; from saccade.terminal.verbs import verbs_of; "
                "[verbs_of(n) for n in systems.names()]"
            ),
            ("torch", "numpy", "matplotlib"),
        ),
        ("import saccade.tables.table, saccade.shipped.card, saccade.bench.plan", ("torch", "matplotlib")),
    ],
)
def test_help_and_settings_start_without_torch(code: str, absent: tuple[str, ...]) -> None:
    asked = f"{code}; import sys; print([name for name in {absent} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, cwd="/")
    assert done.stdout.splitlines()[-1] == "[]"


def test_no_room_is_too_large() -> None:
    lines: Counter[str] = Counter()
    for folder in sorted((ROOT / "saccade").iterdir()):
        texts = folder.resolve().rglob("*.py") if folder.is_dir() else [folder.resolve()]
        lines[folder.name] = sum(useful_lines(file.read_text()) for file in texts if file.suffix == ".py")
    largest, count = lines.most_common(1)[0]
    assert count / lines.total() <= LARGEST_ROOM, largest
    assert lines["recurrent"] <= CORE_LINES


def test_files_and_functions_are_short() -> None:
    long = [f"{file.name}: {n} lines" for file, text in files() if (n := text.count("\n")) > MOST_LINES]
    long += [
        f"{file.name}: {function.name} has {n} lines"
        for file, text in files()
        for function in functions(text)
        if (n := (function.end_lineno or 0) - function.lineno + 1) > MOST_FUNCTION_LINES
    ]
    assert long == []


def test_any_is_rare() -> None:
    words = Counter(
        file.name for file, text in files() for node in ast.walk(ast.parse(text)) if getattr(node, "id", "") == "Any"
    )
    assert words.total() <= MOST_ANY, words.most_common(8)


def test_docstrings_name_the_thing_or_say_what_to_do() -> None:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    opened = [
        f"{file.name}: {text.split(chr(10))[0]}"
        for file, source in files()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, kinds) and (text := ast.get_docstring(node)) and text.split()[0] in OPENINGS
    ]
    assert opened == []
