"""The shape of the code: which room imports which, what a module offers, and what log-collector's start costs."""

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOGCHAIN, EXPORTER = ROOT / "logchain", ROOT / "exporter" / "log_exporter"
WITNESS = ROOT / "witness" / "logchain_witness"
MODULES = sorted([*LOGCHAIN.rglob("*.py"), *EXPORTER.rglob("*.py"), *WITNESS.rglob("*.py")])

ROOMS = {  # docs/ARCHITECTURE.md
    "format": {"format"},
    "store": {"store", "format"},
    "collect": {"collect", "store", "format"},
    "compress": {"compress", "store", "format"},
    "read": {"read", "format"},
    "cli": {"cli", "gui", "compress", "collect", "read", "store", "format"},
    "gui": {"gui", "read", "format"},
}
ALSO = {  # the verifier shares no code with the writer but the names of files; the window runs the commands
    "read": {"logchain.store.layout"},
    "gui": {"logchain.store.layout"},
}
PURE = {"os", "socket", "time", "pathlib", "subprocess", "io", "shutil", "tempfile", "select", "fcntl", "signal"}
FOREIGN = {
    "format": {"nacl"},
    "store": {"lz4"},
    "read": {"lz4"},
    "cli": {"click", "nacl"},
    "gui": {"PySide6"},
}  # beyond the standard library

LATE = {"click", "nacl", "asyncio", "json", "logging", "typing_extensions", "socket", "subprocess", "ssl", "sqlite3"}
LATE |= {"pathlib", "inspect", "hypothesis", "email", "urllib", "http", "tempfile", "shutil", "random", "decimal"}


def named(path: Path) -> str:
    """Return a module's name."""
    base = next(place.parent for place in (LOGCHAIN, EXPORTER, WITNESS) if place in path.parents)
    return ".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path) -> Iterator[str]:
    """Yield the full name of every module that one imports, wherever in it the import stands."""
    name = named(path)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: imports are absolute"
            assert node.module
            for alias in node.names:  # `from package import module` is an import of that module
                inner = f"{node.module}.{alias.name}"
                yield inner if _is_module(inner) else node.module


def _is_module(name: str) -> bool:
    paths = [place.parent / name.replace(".", "/") for place in (LOGCHAIN, EXPORTER, WITNESS)]
    return any(path.with_suffix(".py").is_file() or path.is_dir() for path in paths)


def room(name: str) -> str:
    """Return the room that a module of logchain is in."""
    return name.split(".")[1] if "." in name else ""


def of(directory: Path) -> pytest.MarkDecorator:
    """Run a test once for each module below a directory."""
    found = [path for path in MODULES if directory in path.parents]
    return pytest.mark.parametrize("path", found, ids=[named(path) for path in found])


def test_there_is_something_to_check() -> None:
    """The rooms are where this test looks for them."""
    assert {room(named(path)) for path in MODULES if LOGCHAIN in path.parents} - {""} <= ROOMS.keys()
    assert {"logchain.read.verify", "logchain.store.stream", "log_exporter.main"} <= {named(path) for path in MODULES}


@of(LOGCHAIN)
def test_imports_run_one_way(path: Path) -> None:
    """cli imports all rooms, gui what reads, collect and compress the store, all format; nobody the other way."""
    here = room(named(path))
    allowed = ROOMS.get(here, set())
    for name in imported(path):
        if name.split(".")[0] == "logchain" and name != "logchain":  # the package itself has the version only
            assert room(name) in allowed or name in ALSO.get(here, set()), f"{named(path)} imports {name}"
        else:
            known = name.split(".")[0] in sys.stdlib_module_names | FOREIGN.get(here, set()) | {"logchain"}
            assert known, f"{named(path)} imports {name}"


@of(LOGCHAIN / "format")
def test_formats_do_no_io(path: Path) -> None:
    """Bytes to values and back: no files, no clock, no sockets."""
    assert not PURE & {name.split(".")[0] for name in imported(path)}


@of(EXPORTER)
def test_the_exporter_needs_nothing(path: Path) -> None:
    """It imports the standard library and itself, and nothing of logchain: it runs in any qube."""
    for name in imported(path):
        assert name.split(".")[0] in sys.stdlib_module_names | {"log_exporter"}, f"{named(path)} imports {name}"


@of(WITNESS)
def test_the_witness_needs_little(path: Path) -> None:
    """It imports the standard library, one Ed25519 and itself: a fault of the store's code is not repeated in it."""
    for name in imported(path):
        known = sys.stdlib_module_names | {"nacl", "logchain_witness"}
        assert name.split(".")[0] in known, f"{named(path)} imports {name}"


@of(ROOT)
def test_each_module_says_what_it_is(path: Path) -> None:
    """A docstring stands first, of one line that says what for."""
    text = ast.get_docstring(ast.parse(path.read_text()))
    assert text
    assert text.splitlines()[0].endswith((".", ":")), text.splitlines()[0]


@of(ROOT)
def test_what_a_module_offers(path: Path) -> None:
    """Every name in __all__ is there, sorted out of all that is public; and nothing public is left out of it."""
    tree = ast.parse(path.read_text())
    defined = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef) and not node.name.startswith("_")
    }
    sys.path[:0] = [str(EXPORTER.parent), str(WITNESS.parent)]
    try:
        module = importlib.import_module(named(path))
    finally:
        del sys.path[:2]
    offered = getattr(module, "__all__", None)
    if offered is None:  # numbers only, or exporter and witness, which are programs and nobody's library
        assert not defined or not {EXPORTER, WITNESS}.isdisjoint(path.parents), f"{named(path)} has no __all__"
        return
    assert len(offered) == len(set(offered))
    assert all(hasattr(module, name) for name in offered)
    assert defined <= set(offered), defined - set(offered)


def loaded(code: str, site: bool = False) -> set[str]:
    """Return the modules that are loaded once this code has run, in a process of its own; `site`: with packages."""
    paths = [str(ROOT), *(path for path in sys.path if site and path.endswith("-packages"))]
    code = f"import sys; sys.path[:0] = {paths!r}; {code}; print(*sys.modules)"
    command = [sys.executable, "-I", "-S", "-c", code]  # without what an installation's site imports
    return set(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split())


def test_a_start_of_log_collector_imports_little() -> None:
    """One starts for each connection: imports are what a connection costs."""
    found = loaded("import logchain.collect.main") - loaded("pass")
    assert not LATE & {name.split(".")[0] for name in found}
    assert len(found) < 90, sorted(found)


UNUSED = {"pathlib", "json", "nacl", "_cffi_backend", "sqlite3", "dataclasses", "asyncio", "logging", "subprocess"}
UNUSED |= {"ssl", "tempfile", "shutil", "socket", "tomllib", "difflib", "random", "decimal", "email", "http"}


def test_a_start_of_show_imports_little() -> None:
    """A person waits for it: what only another option, another command or a check of signatures needs stays out."""
    click = {name for name in loaded("import click", site=True) if "." not in name}
    found = loaded("import logchain.cli.commands, logchain.cli.show", site=True)
    assert not UNUSED & {name.split(".")[0] for name in found} - click
    assert "logchain.read.grep" not in found
    assert not {name for name in found if name.startswith(("logchain.gui", "logchain.compress", "logchain.collect"))}
    assert {name for name in found if name.startswith("logchain.store")} == {"logchain.store", "logchain.store.layout"}
