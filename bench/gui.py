"""How long the window takes: `make bench-gui`.

On a store of ten million lines in BENCH_DIR, which `make bench-status` makes: from the start of Python to the first
picture of all logs, offscreen, and what it costs to sit there. And the list alone, with a hundred thousand logs.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 7
LOGS = 100_000
IDLE = 60.0  # s
_OPEN = """
import time; began = time.monotonic()
import sys
from pathlib import Path
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
app = QApplication(["logchain"])
from logchain.gui.app import make_window
window = make_window(Path(sys.argv[1]), None)
window.show()
window.grab()
print(round(1000 * (time.monotonic() - began)))
while not window.model.rowCount():
    QTest.qWait(2)
window.grab()
print(round(1000 * (time.monotonic() - began)))
while not window.quota.rows.topLevelItemCount() or any(map(window.feed.asks, ("timeline", "status", "sessions"))):
    QTest.qWait(2)
window.grab()
print(round(1000 * (time.monotonic() - began)), flush=True)
QTest.qWait(1000 * int(sys.argv[2]))
window.close()
"""


def main() -> None:
    """Measure, and print."""
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
            os.environ[name] = scratch
        path = Path(os.environ.get("BENCH_DIR", "/var/tmp")) / "logchain-bench-status-2000"
        if (path / "format").exists():
            measure_opening(path)
        else:
            print(f"there is no {path}: `make bench-status` makes it")
        measure_list()


def measure_opening(path: Path) -> None:
    """Print how long the window of a store takes to open, and what it costs to leave it open."""
    found = [[int(word) for word in _open(path, 0).split()] for _ in range(RUNS)]
    window, rows, everything = (statistics.median(times) for times in zip(*found, strict=True))
    best = min(times[1] for times in found)
    print(f"Python {sys.version.split()[0]}, medians of {RUNS}, ms from the start of the program")
    print(f"the window is there {window:6.0f}")
    print(f"all logs are there  {rows:6.0f}   (the best {best})")
    print(f"and all else        {everything:6.0f}   (timeline, sessions, quotas)")
    used = [_used(path, seconds) for seconds in (0, IDLE)]
    print(f"all of it           {1000 * used[0]:6.0f}   of CPU, its commands included")
    print(f"open and idle       {100 * (used[1] - used[0]) / IDLE:6.1f} % of a core, its commands included")


def _open(path: Path, seconds: float) -> str:
    command = [sys.executable, "-c", _OPEN, str(path), str(int(seconds))]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout


def _used(path: Path, seconds: float) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _open(path, seconds)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure_list() -> None:
    """Print how long the list takes with many logs: to be filled, shown, sorted, filtered, scrolled."""
    from PySide6.QtCore import Qt
    from PySide6.QtWidgets import QApplication

    from logchain.gui.logs import Filter, Log, Logs
    from logchain.gui.logs_model import LogsModel
    from logchain.gui.logs_view import LogsView

    app = QApplication(["logchain"])
    model = LogsModel(Logs())
    view = LogsView(model)
    view.resize(1200, 700)
    view.show_tree()
    view.show()
    began = time.monotonic(), time.process_time()

    def tell(what: str) -> None:
        nonlocal began
        app.processEvents()
        view.grab()
        now = time.monotonic(), time.process_time()
        print(f"{what:20}{1000 * (now[0] - began[0]):6.0f} {1000 * (now[1] - began[1]):6.0f}")
        began = now

    print(f"\n{LOGS:,} logs, ms{'wall':>8}{'CPU':>7}")
    for start in range(0, LOGS, 1_000):
        model.put(
            [Log(f"vm{n}", "journal", n, n, n * 7 % 1_000, n, n, "open", "") for n in range(start, start + 1_000)]
        )
    tell("taken in")
    model.arrange()
    tell("first picture")
    model.sort(4, Qt.SortOrder.AscendingOrder)
    tell("sorted")
    model.arrange(Filter(words=("99",)))
    tell("filtered")
    model.arrange(Filter())
    tell("all again")
    bar = view.tree.verticalScrollBar()
    for step in range(100):
        bar.setValue(bar.maximum() * step // 100)
        app.processEvents()
    tell("100 scrolls")
    for _ in range(20):
        model.put([Log("vm5", "journal", 5, 5, 5, 5, 5, "live", "")])
        app.processEvents()
    tell("20 rows changed")


if __name__ == "__main__":
    main()
