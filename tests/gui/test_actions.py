"""What can be done: each action runs the command that it shows, tells honestly how it ended, and asks where it must."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from PySide6.QtCore import QProcess, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QDialogButtonBox, QLabel, QLineEdit, QMessageBox
from pytestqt.qtbot import QtBot

from logchain.format.errors import UsageError
from logchain.gui.actions import ACTIONS, Action
from logchain.gui.command import Logchain
from logchain.gui.job import _MOST, Job
from logchain.gui.logs import Filter, Log
from logchain.gui.naming import also_taken, choose
from logchain.gui.options import Options
from logchain.gui.process import Process
from logchain.gui.window import Window
from tests.gui.conftest import Open, column, names

STAND_IN = """#!/bin/bash
printf '%s\\n' "${0##*/} $*" >> "$PLACE/called"
[ -e "$PLACE/refuse" ] && exit 126
while [ -e "$PLACE/viewer" ]; do sleep 0.05; done
"""


def action(*command: str) -> Action:
    """Return an action by its command."""
    return next(one for one in ACTIONS if one.command == command)


def options(window: Window, wanted: Action, **fields: str | bool) -> Options:
    """Return the dialog of an action for what is selected, with some fields filled in."""
    made = Options(window.logchain, wanted, window.logs.chosen(), window.model.logs.all(), {}, window)
    for name, value in fields.items():
        widget = made._widgets[f"--{name.replace('_', '-')}"]
        if isinstance(widget, QCheckBox):
            widget.setChecked(bool(value))
        elif isinstance(widget, QLineEdit):
            widget.setText(str(value))
        else:
            widget.setCurrentIndex(widget.findData(value))
    return made


def ended(qtbot: QtBot, job: Job) -> str:
    """Wait until a job has ended; return what it said."""
    qtbot.waitUntil(lambda: job.code is not None, timeout=30_000)
    return job.text.toPlainText()


def open_work(window: Window, qtbot: QtBot, qubes: Path) -> tuple[Job, Path]:
    """Open work/web in a viewer that stays until `qubes`/viewer is gone; return the job, and the file that is seen."""
    (qubes / "viewer").touch()
    window.logs.choose("work", "web")
    job = window.doing.run(action("open"), options(window, action("open")).words())
    qtbot.waitUntil((qubes / "called").exists, timeout=20_000)
    return job, Path((qubes / "called").read_text().split()[-1])


@pytest.fixture
def qubes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Qubes' commands, as stand-ins that note how they were called."""
    place = tmp_path / "dom0"
    place.mkdir()
    for name in ("qvm-open-in-dvm", "qvm-open-in-vm", "qvm-copy"):
        (place / name).write_text(STAND_IN)
        (place / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
    monkeypatch.setenv("PLACE", str(place))
    return place


def test_export_and_what_it_says(window: Window, qtbot: QtBot, room: Path) -> None:
    """The evidence file of what is selected is made, and can be checked; a second one never replaces it."""
    window.logs.choose("work", "journal")
    dialog = options(window, action("export"))
    assert not dialog.buttons.button(QDialogButtonBox.StandardButton.Ok).isEnabled()
    dialog = options(window, action("export"), output=str(room / "work.tar"))
    assert dialog.buttons.button(QDialogButtonBox.StandardButton.Ok).isEnabled()
    job = window.doing.run(action("export"), dialog.words())
    assert "Entry " in ended(qtbot, job)
    assert (job.code, job.heading.text()) == (0, "✔ Done.")
    done = subprocess.run(["logchain", "verify", "work.tar", "--json"], capture_output=True, check=False)
    assert [stream["vm"] for stream in json.loads(done.stdout)["streams"]] == ["work"]
    job = window.doing.run(action("export"), dialog.words())
    assert "File exists" in ended(qtbot, job)
    assert (job.code, "could not be done" in job.heading.text()) == (2, True)


def test_a_verify_of_all_layers(window: Window, qtbot: QtBot, room: Path) -> None:
    """With fingerprint and audit secret each log is told intact, to when and by what; and it is so the next time."""
    status = json.loads(
        subprocess.run(["logchain", "status", "--json", "--store", "store"], capture_output=True).stdout
    )
    dialog = options(
        window,
        action("verify", "--json"),
        fingerprint=status["ledger"]["fingerprint"],
        audit_secret=str(room / "audit"),
    )
    job = window.doing.run(action("verify", "--json"), dialog.words())
    text = ended(qtbot, job)
    assert (job.code, job.heading.text()[:8]) == (0, "✔ INTACT")
    assert text.startswith("INTACT: every record")
    assert text.index("ratchet  ") < text.index("ledger   ") < text.index("witness  ") < text.index("work/web: ")
    cells = dict(zip(names(window), column(window, 8), strict=True))
    assert " by ratchet; no witness asked; checked " in cells.pop("work/web")  # nothing of it is sealed or listed
    assert all(" by ratchet and ledger; no witness asked; checked " in cell for cell in cells.values())


def test_damage_is_shown_and_all_goes_on(open_window: Open, qtbot: QtBot, room: Path) -> None:
    """A store that was changed is listed; `verify` tells the first bad place, and its log is marked by a word."""
    (log,) = (room / "store/live/work/web").glob("*.log")
    log.write_bytes(log.read_bytes().replace(b"GET /", b"PUT /", 1))
    next((room / "store/sealed/vault/journal").glob("*.manifest")).unlink()
    window = open_window(room / "store", logs=4)
    words = options(window, action("verify", "--json"), audit_secret=str(room / "audit")).words()
    text = ended(qtbot, job := window.doing.run(action("verify", "--json"), words))
    assert (job.code, job.heading.text()[:9]) == (1, "▲ DAMAGED")
    assert text.startswith("First bad place: ")
    cells = dict(zip(names(window), column(window, 8), strict=True))
    assert cells["work/web"].startswith("DAMAGED: segment 1, record ")
    assert not cells["work/journal"].startswith("DAMAGED")
    again = open_window(room / "store", logs=4)
    assert dict(zip(names(again), column(again, 8), strict=True)) == cells


def test_delete_shows_and_asks(window: Window, qtbot: QtBot, room: Path) -> None:
    """What goes is shown; No does nothing, Yes does it, and Enter alone is No."""
    window.logs.choose("work", "journal")
    manifest = room / "store/sealed/work/journal/00000001.manifest"
    dialog = options(window, action("delete"), until="now")
    assert dialog.words() == ["delete", "--vm=work", "--stream=journal", "--until=now"]
    assert "work/journal" in "".join(one.text() for one in dialog.findChildren(QLabel))
    for agree in (False, True):
        assert manifest.exists()
        job = window.doing.run(action("delete"), dialog.words())
        qtbot.waitUntil(job.question.isVisible, timeout=20_000)
        assert "work/journal" in job.text.toPlainText()
        assert job.question.told.text() == "Delete this 1 segment of work for good?"
        assert not job.question.yes.isDefault()
        if agree:
            job.question.yes.click()
        else:
            QTest.keyClick(job, Qt.Key.Key_Return)
            QTest.keyClick(job.question.no, Qt.Key.Key_Space)
        text = ended(qtbot, job)
        assert ("Deleted 1 segment" in text, "nothing was done" in text) == (agree, not agree)
    assert not manifest.exists()


def test_forget_wants_the_name_typed(window: Window, qtbot: QtBot, room: Path) -> None:
    """Before the qube's name stands there nothing can be agreed to; then nothing of it is kept here either."""
    window.logs.choose("vault", "journal")
    window.logs.labelled.emit(["vault"], "black")
    assert "vault" in kept(room)
    job = window.doing.run(action("forget"), options(window, action("forget")).words())
    qtbot.waitUntil(job.question.isVisible, timeout=20_000)
    assert not job.question.yes.isEnabled()
    job.question.field.setText("vaul")
    assert not job.question.yes.isEnabled()
    QTest.keyClick(job.question.field, Qt.Key.Key_Return)
    assert job.question.isVisible()  # no other button was pressed
    job.question.field.setText("vault")
    QTest.keyClick(job.question.field, Qt.Key.Key_Return)
    assert "vault is forgotten" in ended(qtbot, job)
    qtbot.waitUntil(lambda: "vault/journal" not in names(window), timeout=20_000)
    assert not (room / "store/live/vault").exists()
    assert "vault" not in kept(room)


def kept(room: Path) -> str:
    """Return all that the window keeps for its user."""
    return "".join(path.read_text() for place in ("config", "state") for path in (room / place).rglob("*.*"))


def test_nothing_is_deleted_because_it_stood_first(window: Window) -> None:
    """Where no qube is selected, or several are, one has to be chosen."""
    window.doing.act(action("delete"))
    (box,) = window.findChildren(QMessageBox)
    assert "Choose one or more logs" in box.text()
    assert not ready(options(window, action("forget")))
    window.logs.tree.selectAll()
    assert not ready(options(window, action("forget")))
    dialog = options(window, action("delete"), until="now")
    assert not ready(dialog)
    assert "several qubes: choose those of one" in "".join(one.text() for one in dialog.findChildren(QLabel))


def ready(dialog: Options) -> bool:
    """Tell whether a dialog lets its command run."""
    return dialog.buttons.button(QDialogButtonBox.StandardButton.Ok).isEnabled()


def test_delete_takes_what_is_chosen_from_its_first_record_on(window: Window, qtbot: QtBot) -> None:
    """All chosen streams of a qube are named; that a Since of the window does not count is said."""
    window.bar.words.setText("work")
    qtbot.waitUntil(lambda: window.model.rowCount() == 2)
    window.logs.tree.selectAll()
    known = window.model.logs.all()
    for since in ("", "-1h"):
        dialog = Options(window.logchain, action("delete"), window.logs.chosen(), known, {"--since": since}, window)
        dialog._widgets["--until"].setText("now")  # type: ignore[union-attr]
        assert dialog.words() == ["delete", "--vm=work", "--stream=journal", "--stream=web", "--until=now"]
        told = " ".join(one.text() for one in dialog.findChildren(QLabel))
        assert "There is no Since" in told
        assert ("what came before -1h goes too" in told) == bool(since)


def test_verify_of_one_log(window: Window, qtbot: QtBot, room: Path) -> None:
    """What is chosen is checked, and no other log is called checked; without a choice it is the whole store."""
    assert options(window, action("verify", "--json")).words() == ["verify", "--json"]
    window.logs.choose("work", "web")
    dialog = options(window, action("verify", "--json"), audit_secret=str(room / "audit"))
    assert dialog.words()[:4] == ["verify", "--json", "--vm=work", "--stream=web"]
    ended(qtbot, window.doing.run(action("verify", "--json"), dialog.words()))
    cells = dict(zip(names(window), column(window, 8), strict=True))
    assert cells.pop("work/web") != "not checked"
    assert set(cells.values()) == {"not checked"}


def test_verify_where_all_logs_were_taken_away(open_window: Open, qtbot: QtBot, room: Path) -> None:
    """The page does not say that there never were any, and the store can be verified: it is damaged."""
    for part in ("live", "sealed"):
        for path in (room / "store" / part).iterdir():
            shutil.rmtree(path)
    (room / "store/catalog.sqlite").unlink(missing_ok=True)
    window = open_window(room / "store")
    qtbot.waitUntil(lambda: "verify the store" in window.logs.told.text(), timeout=20_000)
    window.doing.act(action("verify", "--json"))
    dialog = window.findChild(Options)
    assert isinstance(dialog, Options)
    assert ready(dialog)
    dialog.accept()
    ended(qtbot, window.doing.jobs[-1])
    assert (window.doing.jobs[-1].code, window.doing.jobs[-1].heading.text()[:9]) == (1, "▲ DAMAGED")


def many(streams: int, qubes: int) -> list[Log]:
    """Return logs of so many qubes with so many streams each."""
    return [
        Log(f"vm{qube}", f"s{stream}", 1, 1, 1, 1, 1, "open", "") for qube in range(qubes) for stream in range(streams)
    ]


def test_more_logs_than_a_command_can_name(window: Window, qtbot: QtBot) -> None:
    """All of a store, or of a stream's name, is asked for without names; what cannot be said is refused in a line."""
    known = many(2, 1_000)
    assert choose(known, lambda: known) == []
    assert choose(known[::2], lambda: known) == ["--stream=s0"]
    wide = many(1_000, 2)
    assert choose(wide[:1_000], lambda: wide) == ["--vm=vm0"]
    with pytest.raises(UsageError, match="more than a command can name"):
        choose(known[1:], lambda: known)
    window.model.put(many(1, 100_000))
    window.arrange()
    window.logs.tree.selectAll()
    chosen = window.logs.chosen()
    assert len(chosen) == 100_004
    dialog = Options(window.logchain, action("open"), chosen, window.model.logs.all(), {}, window)
    assert dialog.words() == ["open"]
    assert ready(dialog)
    job = window.doing.run(action("open"), dialog.words())
    ended(qtbot, job)
    dialog = Options(window.logchain, action("open"), chosen[:-1], window.model.logs.all(), {}, window)
    assert not ready(dialog)
    assert "more than a command can name" in " ".join(one.text() for one in dialog.findChildren(QLabel))


def test_a_question_about_more_than_is_shown(qtbot: QtBot, room: Path) -> None:
    """Who says Yes is told how many lines were not shown."""
    job = Job(Logchain(room / "store"), "Much", ["list"])
    qtbot.addWidget(job)
    ended(qtbot, job)
    job._say("\n".join(["x" * 1_000] * 300))
    job._ask("Delete it?", "yes", False)
    assert job.question.told.text().startswith("▲ 39 more lines of what it is about are not shown above")
    assert job.question.told.text().endswith("Delete it?")
    assert job.question.yes.text() == "&Yes, without 39 lines seen"


def test_seal_now(window: Window, qtbot: QtBot) -> None:
    """What nobody writes is sealed, and the list tells so."""
    job = window.doing.run(action("seal"), options(window, action("seal"), vm="work").words())
    assert "sealed 1 segment" in ended(qtbot, job)
    qtbot.waitUntil(lambda: "▷ open" not in column(window, 7), timeout=20_000)


def test_cancel(window: Window, qtbot: QtBot, qubes: Path) -> None:
    """What runs can be ended, and then nothing of it is left."""
    (qubes / "viewer").touch()
    window.logs.choose("work", "web")
    job = window.doing.run(action("open"), options(window, action("open"), notes=True).words())
    qtbot.waitUntil((qubes / "called").exists, timeout=20_000)
    path = Path((qubes / "called").read_text().split()[-1])
    assert path.exists()
    job.button.click()
    (qubes / "viewer").unlink()
    ended(qtbot, job)
    assert (job.code, job.heading.text()[:11]) == (130, "✕ Cancelled")
    assert not path.exists()


def test_to_close_the_window_over_a_command(window: Window, qtbot: QtBot, qubes: Path) -> None:
    """It asks first; what runs is ended, and leaves nothing, before the window is closed."""
    _, path = open_work(window, qtbot, qubes)
    for button in (QMessageBox.StandardButton.Cancel, QMessageBox.StandardButton.Close):
        assert not window.close()
        box = window.findChildren(QMessageBox)[-1]
        box.button(button).click()
        if button == QMessageBox.StandardButton.Cancel:
            assert window.isVisible()
            assert path.exists()
            assert not window.close()
            assert not window.close()  # it asks once
            assert len([one for one in window.findChildren(QMessageBox) if one.isVisible()]) == 1
            window.findChildren(QMessageBox)[-1].button(button).click()
    (qubes / "viewer").unlink()
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=20_000)
    assert not path.exists()


def test_a_command_that_is_killed(window: Window, qtbot: QtBot, qubes: Path) -> None:
    """It is not called done."""
    job, left = open_work(window, qtbot, qubes)
    os.kill(job.process._process.processId(), signal.SIGKILL)
    (qubes / "viewer").unlink()
    ended(qtbot, job)
    assert (job.code, job.heading.text()[0]) == (-1, "▲")
    assert left.exists() == ("/dev/shm" in job.heading.text())
    shutil.rmtree(left.parent)


def test_a_double_click_on_cancel(window: Window, qtbot: QtBot, qubes: Path) -> None:
    """It is one click: a command is killed by a second press only if it did not end, and then that is told."""
    job, path = open_work(window, qtbot, qubes)
    job.button.click()
    job.button.click()
    job.reject()
    job.reject()
    (qubes / "viewer").unlink()
    ended(qtbot, job)
    assert (job.code, job.heading.text()[:11]) == (130, "✕ Cancelled")
    assert not path.exists()


def test_a_command_that_does_not_end(qtbot: QtBot, room: Path) -> None:
    """After a while it can be killed, and is not called cancelled then."""
    (room / "python").write_text("#!/bin/bash\necho begun\nwhile :; do sleep 0.1; done\n")
    (room / "python").chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.executable", str(room / "python"))
        patch.setattr("logchain.gui.job._PATIENCE", 200)
        job = Job(Logchain(room / "store"), "Stubborn", ["list"])
        qtbot.addWidget(job)
        qtbot.waitUntil(lambda: job.text.toPlainText() == "begun", timeout=20_000)
        job.button.click()
        qtbot.waitUntil(lambda: job.button.text() == "&Kill" and job.button.isEnabled(), timeout=20_000)
        job.button.click()
        ended(qtbot, job)
    assert (job.code, job.heading.text()[0], job.button.isEnabled()) == (-1, "▲", True)


SUDO = """#!/bin/bash
[ "$1" = -n ] && shift
[ -e "$PLACE/asks" ] && { echo "sudo: a password is required" >&2; exit 1; }
exec "$@"
"""


@pytest.fixture
def as_root(qubes: Path, room: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store that only root may look into, by a stand-in for sudo; what runs by it gets no signal from the window."""
    (qubes / "sudo").write_text(SUDO)
    (qubes / "sudo").chmod(0o755)
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != room / "store" and access(path, mode))
    monkeypatch.setattr(QProcess, "kill", lambda _: None)
    return qubes


def test_kill_under_sudo(as_root: Path, open_window: Open, qtbot: QtBot, room: Path) -> None:
    """It is killed though no signal reaches it, that is told, and the window can be closed."""
    window = open_window(room / "store", logs=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("logchain.gui.job._PATIENCE", 100)
        job, path = open_work(window, qtbot, as_root)
    pid = job.process._process.processId()
    assert job.line.startswith("sudo logchain open")
    job.process._press = lambda key: Process._press(job.process, key) if key != b"\x03" else None  # type: ignore[method-assign]
    job.button.click()
    qtbot.waitUntil(lambda: job.button.text() == "&Kill" and job.button.isEnabled(), timeout=20_000)
    job.button.click()
    ended(qtbot, job)
    (as_root / "viewer").unlink()
    assert (job.code, "was killed" in job.heading.text()) == (-1, True)
    assert not Path(f"/proc/{pid}").exists()
    assert window.close()
    shutil.rmtree(path.parent)


def test_what_cannot_be_killed(as_root: Path, open_window: Open, qtbot: QtBot, room: Path) -> None:
    """A command that hears nothing any more is told to go on, and stops neither its dialog nor the window."""
    window = open_window(room / "store", logs=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("logchain.gui.job._PATIENCE", 100)
        job, path = open_work(window, qtbot, as_root)
    pid = job.process._process.processId()
    os.kill(pid, signal.SIGSTOP)
    job.button.click()
    qtbot.waitUntil(lambda: job.button.text() == "&Kill" and job.button.isEnabled(), timeout=20_000)
    job.button.click()
    qtbot.waitUntil(lambda: job.code is not None, timeout=20_000)
    assert "It does not end" in job.heading.text()
    assert window.close()
    (as_root / "viewer").unlink()
    os.kill(pid, signal.SIGCONT)  # and now it hears that it is to be killed
    qtbot.waitUntil(lambda: not Path(f"/proc/{pid}/exe").exists(), timeout=20_000)
    shutil.rmtree(path.parent)


def test_where_sudo_asks_for_a_password(as_root: Path, open_window: Open, qtbot: QtBot, room: Path) -> None:
    """Its exit code is 1, and no evidence of anything: only a command that tells its verdict has one."""
    window = open_window(room / "store", logs=4)
    (as_root / "asks").touch()
    job = window.doing.run(action("verify", "--json"), ["verify", "--json"])
    assert "a password is required" in ended(qtbot, job)
    assert (job.code, "could not be run" in job.heading.text()) == (-1, True)


def test_what_another_qube_says_is_no_question(window: Window, qtbot: QtBot, qubes: Path) -> None:
    """A line of a disposable's, handed on by qrexec, is shown as words, and stops nothing."""
    line = json.dumps({"ask": "sudo: password", "word": "", "secret": True})
    (qubes / "qvm-open-in-dvm").write_text(
        f"#!/bin/bash\necho '{line}' >&2\necho '{{\"progress\": 1e999}}' >&2\nexit 126\n"
    )
    window.logs.choose("work", "web")
    job = window.doing.run(action("open"), options(window, action("open")).words())
    asked: list[str] = []
    job.process.asked.connect(lambda text, *_: asked.append(text))
    text = ended(qtbot, job)
    assert f"qvm-open-in-dvm: {line}" in text
    assert "dom0 refused it" in text
    assert not asked


def test_text_that_is_cut_is_told_to_be(qtbot: QtBot, room: Path) -> None:
    """Also where a portion ends exactly at the limit, and more comes behind it."""
    job = Job(Logchain(room / "store"), "Much", ["list"])
    qtbot.addWidget(job)
    ended(qtbot, job)
    for text in ("x" * (_MOST - job._size), "behind it", "and more"):
        job._say(text)
    job._write()
    assert job.text.toPlainText().count("which is not shown here") == 1
    assert "behind it" not in job.text.toPlainText()


def test_files_in_the_home_directory(window: Window, monkeypatch: pytest.MonkeyPatch, room: Path) -> None:
    """A person types ~ as in a shell."""
    monkeypatch.setenv("HOME", str(room))
    window.logs.choose("work", "web")
    assert f"--output={room}/a.tar" in options(window, action("export"), output="~/a.tar").words()


def test_a_disposable_of_choice_and_a_refusal(window: Window, qtbot: QtBot, qubes: Path) -> None:
    """The disposable is the one that was chosen; what dom0 refuses is told with service and target."""
    window.logs.choose("work", "web")
    words = options(window, action("open"), dispvm="offline-dvm").words()
    ended(qtbot, window.doing.run(action("open"), words))
    assert (qubes / "called").read_text().startswith("qvm-open-in-vm --view-only @dispvm:offline-dvm ")
    (qubes / "refuse").touch()
    job = window.doing.run(action("open"), words)
    assert "no line that allows qubes.OpenInVM from this qube to @dispvm:offline-dvm" in ended(qtbot, job)
    job = window.doing.run(action("export", "--to-qube"), options(window, action("export", "--to-qube")).words())
    assert "no line that allows qubes.Filecopy" in ended(qtbot, job)


def test_which_logs_a_command_takes_too(window: Window) -> None:
    """Names of qubes and of streams are chosen apart: what comes with that is told."""
    logs = {f"{log.vm}/{log.stream}": log for log in window.model.logs.all()}
    assert not also_taken([logs["work/web"]], list(logs.values()))
    chosen = [logs["vault/journal"], logs["work/web"]]
    assert also_taken(chosen, list(logs.values())) == [logs["work/journal"]]


def test_copy_as_command(window: Window, room: Path) -> None:
    """What each view shows, as a line for a terminal that tells the same."""
    window.logs.choose("work", "web")
    lines = []
    for view in (window.logs, window.sessions, window.quota):
        window.tabs.setCurrentWidget(view)
        window.doing.copy_command()
        lines.append(QGuiApplication.clipboard().text())
    store = room / "store"
    assert lines == [
        f"logchain show --vm=work --stream=web --store {store}",
        f"logchain sessions --store {store}",  # it shows those of all logs
        f"logchain status --store {store}",
    ]
    for line in lines:
        assert subprocess.run(line, shell=True, capture_output=True).returncode in (0, 3)
    dialog = options(window, action("export"), output="a b", encrypt_to="x")
    assert dialog.line.toPlainText().startswith("logchain export --vm=work --stream=web '--output=a b' --encrypt-to=x")


def test_previews_are_off(window: Window, qtbot: QtBot) -> None:
    """No log text is shown until a person allows it; then at most 200 lines, escaped."""
    window.logs.choose("work", "web")
    window.doing.preview()
    assert not window.doing.jobs
    window.menus.previews.setChecked(True)
    window.doing.preview()
    text = ended(qtbot, window.doing.jobs[-1])
    assert text.count("GET /") == 50


def test_a_copied_command_is_of_what_is_shown(window: Window, qtbot: QtBot, room: Path) -> None:
    """With a filter it names what passes; where nothing does there is none."""
    window.bar.words.setText("work")
    qtbot.waitUntil(lambda: window.model.rowCount() == 2)
    for view, name in ((window.logs, "list"), (window.sessions, "sessions")):
        window.tabs.setCurrentWidget(view)
        window.doing.copy_command()
        line = QGuiApplication.clipboard().text()
        assert line == f"logchain {name} --vm=work --stream=journal --stream=web --store {room / 'store'}"
    window.bar.words.setText("nobody")
    qtbot.waitUntil(lambda: window.model.rowCount() == 0)
    QGuiApplication.clipboard().setText("before")
    window.doing.copy_command()
    assert QGuiApplication.clipboard().text() == "before"


def test_a_preview_says_which_logs_it_also_shows(window: Window, qtbot: QtBot) -> None:
    """Names of qubes and streams are chosen apart, for a preview too."""
    window.menus.previews.setChecked(True)
    window.bar.words.setText("web")
    qtbot.waitUntil(lambda: names(window) == ["work/web"])
    window.model.put([Log("vault", "web", 1, 1, 1, 1, 1, "open", "")])
    window.bar.words.setText("a")
    qtbot.waitUntil(lambda: window.model.rowCount() > 2)
    window.model.arrange(Filter(words=("web",)))
    window.logs.tree.selectAll()
    window.doing.preview()
    assert "also" not in window.doing.jobs[-1].windowTitle()
    ended(qtbot, window.doing.jobs[-1])
    window.model.logs.remove("vault", "web")
    window.model.put([Log("vault", "other", 1, 1, 1, 1, 1, "open", "")])
    window.model.arrange(Filter(words=("e",), states=("open",)))
    window.logs.tree.selectAll()
    window.model.put([Log("work", "other", 1, 1, 1, 1, 1, "sealed", "")])
    window.doing.preview()
    assert "▲ also of work/other" in window.doing.jobs[-1].windowTitle()
    ended(qtbot, window.doing.jobs[-1])


def test_damage_is_remembered_where_the_id_is_lost(open_window: Open, qtbot: QtBot, room: Path) -> None:
    """The next window knows what was found, though nothing tells which stream it is."""
    (room / "store/live/work/web/id").unlink()
    window = open_window(room / "store", logs=4)
    job = window.doing.run(action("verify", "--json"), ["verify", "--json", f"--audit-secret={room / 'audit'}"])
    ended(qtbot, job)
    for shown in (window, open_window(room / "store", logs=4)):
        assert dict(zip(names(shown), column(shown, 8), strict=True))["work/web"].startswith("DAMAGED")


def test_many_logs_that_go_at_once(window: Window, qtbot: QtBot) -> None:
    """They are removed together: who is left is asked for once."""
    rows = [{"vm": f"vm{n}", "stream": "x", "state": "open", "records": 1, "id": f"{n:064x}"} for n in range(300)]
    window.feed.rows.emit(rows)
    qtbot.waitUntil(lambda: window.model.rowCount() == 304)
    told: list[object] = []
    window.listing.forgot.connect(told.append)
    window.feed.rows.emit([row | {"state": "gone"} for row in rows])
    qtbot.waitUntil(lambda: window.model.rowCount() == 4)
    assert told == [{f"vm{n}" for n in range(300)}]


def test_since_an_hour_goes_on(window: Window) -> None:
    """What is of the last seconds is so whenever the list is arranged, not only when it was typed."""
    window.bar.since.setCurrentText("-5s")
    window.filter(window.bar.filter())
    before = window.model.filter.since
    window._arrange_now()
    assert window.model.filter.since > before > 0
