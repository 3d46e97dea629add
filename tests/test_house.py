"""The rooms of the code: who may import whom. An arrow that runs back up, or a circle, makes the code hard to enter."""

import ast
import importlib
from graphlib import TopologicalSorter

from resources import RESOURCES
from tests.conftest import ROOT

#: From the cellar up: a module imports from its own room and from those before it.
FLOORS = ("database", "models", "web", "seeds", "seed", "resources", "halolight")
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for place in ("*.py", "database/**/*.py", "web/*.py", "seeds/*.py", "resources/*.py")
    for path in ROOT.glob(place)
    if path.stem != "__main__"  # a command, which nothing imports
}


def imported(path):
    """The modules of ours that a module imports, wherever in it; but for what it does when it is run as a script."""
    tree = ast.parse(path.read_text("utf-8"))
    tree.body = [node for node in tree.body if not (isinstance(node, ast.If) and "__name__" in ast.unparse(node.test))]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else node.module for name in inner if node.module in MODULES)


def floor(module):
    room = module.partition(".")[0]
    assert room in FLOORS, f"{module} stands in none of {', '.join(FLOORS)}"
    return FLOORS.index(room)


def test_no_module_imports_from_a_floor_above_its_own():
    arrows = [(module, other) for module, path in MODULES.items() for other in imported(path)]
    assert len(arrows) > 200
    assert [f"{module} imports {other}" for module, other in arrows if floor(other) > floor(module)] == []


def test_imports_make_no_circle():
    graph = {module: set(imported(path)) - {module} for module, path in MODULES.items()}
    assert len(list(TopologicalSorter(graph).static_order())) == len(MODULES)  # CycleError names the circle


def test_every_module_of_resources_is_registered():
    modules = [importlib.import_module(name) for name in MODULES if name.startswith("resources.")]
    blueprints = {module.blp.name for module in modules if hasattr(module, "blp")}
    assert blueprints == {blp.name for blp in RESOURCES} | {"demo"}  # which development alone has


def test_every_resource_has_tests():
    tests = [path.read_text("utf-8") for path in (ROOT / "tests").glob("test_*.py") if path.name != "test_access.py"]
    addresses = [blp.url_prefix for blp in RESOURCES if blp.url_prefix]
    assert [address for address in addresses if not any(f'"{address}' in text for text in tests)] == []
