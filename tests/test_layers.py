"""Imports point down only: the layers of the package, read from its source."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "lift2to3"

LAYERS = (
    (
        "conventions",
        "skeletons",
        "quoting",
        "guarded_files",
        "whole_file",
        "array_files",
        "disk_cache",
        "weights_folder",
        "guarded_files",
        "quoting",
        "resample",
        "progress",
        "told",
    ),
    ("keypoints", "body", "motion", "observations", "geometry"),
    ("representation", "smpl", "contact", "metrics", "scores", "summary", "formats", "walk", "demo_clip"),
    ("models", "data"),
    ("checkpoint", "fit"),
    ("training", "pipeline"),
    ("convert",),
    ("compare",),
    ("report",),
    ("commands",),
    ("", "cli", "__main__"),  # "" is the package itself: its public names
)
"""Parts of the package from the bottom up. A part sees the layers below it and may see its own."""

SIBLINGS = (("models", "data"), ("training", "pipeline"))
"""Of one layer, and still strangers."""

NOT_FOR_TRAINING = {
    "tensorflow_datasets",
    "grain",
    "array_record",
    "tyro",
    "rich",
    "smplx",
    "trimesh",
    "viser",
    "torch",
    "anny",
}
"""Absent on a bare GPU image: imported where they are used, never when a module is."""

LAYER = {part: height for height, parts in enumerate(LAYERS) for part in parts}
SOURCES = sorted(PACKAGE.rglob("*.py"))


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(path): path for path in SOURCES}


def part_of(module: str) -> str:
    """``lift2to3.geometry.cameras`` → ``geometry``."""
    return (module.split(".") + [""])[1]


def imports(path: Path, everywhere: bool = True) -> set[str]:
    """Modules that a file imports; without ``everywhere``, only those that its own import runs."""
    tree = ast.parse(path.read_text())
    found = set()
    for node in ast.walk(tree) if everywhere else tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import; wanted the full name"
            # `from lift2to3 import motion` imports a module, `from lift2to3.motion import Motion` a name
            modules = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (modules & MODULES.keys()) or {str(node.module)}
    return found


def own_imports(path: Path) -> set[str]:
    return {name for name in imports(path) if name.split(".")[0] == "lift2to3"}


def test_every_part_has_its_layer():
    parts = {part_of(module) for module in MODULES}
    assert parts <= LAYER.keys(), f"give a layer to: {sorted(parts - LAYER.keys())}"


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module):
    part = part_of(module)
    for imported in own_imports(MODULES[module]):
        below = part_of(imported)
        assert LAYER[below] <= LAYER[part], f"{module} imports {imported} from a layer above"
        strangers = any(part in pair and below in pair for pair in SIBLINGS) and part != below
        assert not strangers, f"{module} imports its sibling {imported}"


def test_there_is_no_circle():
    graph = {module: own_imports(path) - {module} for module, path in MODULES.items()}
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " → ".join((*trail, module))
        if module in done:
            return
        for imported in graph.get(module, ()):
            visit(imported, (*trail, module))
        done.add(module)

    for module in graph:
        visit(module, ())


def test_nothing_imports_the_command_line_or_the_scripts():
    for path in SOURCES:
        if part_of(module_name(path)) in ("__main__",):
            continue
        names = imports(path)
        assert not any(name.startswith("lift2to3.cli") for name in names), path
        assert not {name.split(".")[0] for name in names} & {"experiments", "tools", "benchmarks", "tests"}, (
            path
        )
    for folder in ("experiments", "tools", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            assert not any(name.startswith("lift2to3.cli") for name in imports(path)), path


def test_experiments_import_one_another_as_a_package():
    names = {path.stem for path in (ROOT / "experiments").rglob("*.py")} - {"__init__", "__main__"}
    for path in (ROOT / "experiments").rglob("*.py"):
        assert not names & {name.split(".")[0] for name in imports(path)}, path


NEED_EXTRAS = {"lift2to3.data.builder", "lift2to3.cli", "lift2to3.__main__"} | {
    module for module in MODULES if module.startswith("lift2to3.commands")
}
"""The builder inherits from its extra; nobody trains through the command line."""


@pytest.mark.parametrize("module", sorted(MODULES.keys() - NEED_EXTRAS))
def test_importing_the_package_needs_no_extras(module):
    seen, todo = set(), [module]
    while todo:
        here = todo.pop()
        if here in seen or here not in MODULES:
            continue
        seen.add(here)
        at_import = imports(MODULES[here], everywhere=False)
        needed = {name.split(".")[0] for name in at_import} & NOT_FOR_TRAINING
        assert not needed, f"importing {module} runs {here}, which needs {sorted(needed)}"
        todo += at_import
