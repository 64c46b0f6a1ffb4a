"""What can be done with logs: each action is a logchain command, and the options of it that a person can choose."""

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["ACTIONS", "Action", "Field"]


class Field(NamedTuple):
    """An option of an action. `told` explains it.

    `kind`: text, file, new file, check; qube: one, or the whole store; logs: what is selected, or the whole store.
    """

    option: str
    name: str
    kind: str = "text"
    told: str = ""
    needed: bool = False


class Action(NamedTuple):
    """A command, what it is called in menus, and what a person can choose.

    Where `takes_logs`, the command gets the logs that are selected; of one qube only where `one_qube`. `results` are
    the words for its exit codes where they are others than usual.
    """

    command: tuple[str, ...]
    name: str
    told: str
    fields: tuple[Field, ...]
    takes_logs: bool = True
    one_qube: bool = False
    shortcut: str = ""
    danger: bool = False
    results: Mapping[int, str] = {}

    @property
    def title(self) -> str:
        """The name as a dialog has it."""
        return self.name.replace("&", "").rstrip(" …")


_SINCE = Field("--since", "Since", told="-1h, yesterday 18:00, 2026-11-23 10:15; empty: from the first")
_UNTIL = Field("--until", "Until", told="empty: up to the last")
_KEY = Field("--encrypt-to", "Encrypt to", told="A key of 'logchain recipient'; empty: not encrypted")

ACTIONS = (
    Action(
        ("open",),
        "&Open in a disposable …",
        "Shows the lines in a disposable, as one escaped text file, view-only. No copy stays here. At most 16 MiB.",
        (
            _SINCE,
            _UNTIL,
            Field("--dispvm", "Disposable template", told="empty: that of the settings, or the qube's own default"),
            Field("--notes", "The collector's own notes too", "check"),
        ),
        shortcut="Ctrl+O",
        results={1: "▲ Something could not be read; its place is marked with '!' in what you saw."},
    ),
    Action(
        ("export",),
        "&Export evidence …",
        "One file that proves what the lines are to anyone who has the store's fingerprint. What is not sealed yet is "
        "sealed first, and the ledger records what was exported.",
        (Field("--output", "New file", "new file", needed=True), _SINCE, _UNTIL, _KEY),
        shortcut="Ctrl+E",
    ),
    Action(
        ("export", "--to-qube"),
        "Copy evidence to another &qube …",
        "Makes an evidence file, as Export does; dom0 asks which qube gets it. No copy stays here.",
        (_SINCE, _UNTIL, _KEY),
        shortcut="Ctrl+Shift+E",
    ),
    Action(
        ("export", "--to-dispvm"),
        "Open e&vidence in a disposable …",
        "Makes an evidence file, as Export does, and opens it in a disposable. No copy stays here.",
        (_SINCE, _UNTIL, Field("--dispvm", "Disposable template", told="empty: that of the settings")),
    ),
    Action(
        ("verify", "--json"),
        "&Verify …",
        "Tells whether what is stored is what was logged, layer by layer, and where the first bad record is.",
        (
            Field(
                "", "Records of", "logs", told="that none is missing is checked in the whole store, whatever you choose"
            ),
            Field("--fingerprint", "Fingerprint", told="as 'logchain init' showed it; empty: that of the settings"),
            Field(
                "--witness", "Witness", told="public key of a witness, to tell how far it signed; empty: the settings'"
            ),
            Field(
                "--audit-secret",
                "Audit secret",
                "file",
                "only on a copy of the store, in an offline disposable: in a LogVM it would not stay secret",
            ),
        ),
        takes_logs=False,
        shortcut="Ctrl+R",
        results={
            0: "✔ INTACT: see below what was checked.",
            1: "▲ DAMAGED: records are missing or changed. See the lines with BAD.",
            3: "▲ CANNOT TELL: see below why.",
        },
    ),
    Action(
        ("seal",),
        "&Seal now …",
        "Closes and signs the segments that no connected qube writes to.",
        (Field("--vm", "Segments of", "qube"),),
        takes_logs=False,
    ),
    Action(
        ("delete",),
        "&Delete old segments …",
        "Removes whole sealed segments of the chosen logs, for good: from the very first on, up to the time below. "
        "There is no Since. The ledger keeps an entry for each segment. The command first shows exactly what it will "
        "remove, and asks.",
        (_UNTIL._replace(needed=True, told="all that was received at this time or earlier: now, -30d, 2026-11-01"),),
        one_qube=True,
        danger=True,
    ),
    Action(
        ("forget",),
        "&Forget a qube …",
        "Removes all that a qube ever logged, and its name, for good. The command first shows exactly what it will "
        "remove, and asks for the qube's name. Stop the qube's senders first.",
        (Field("--vm", "Qube", "qube", needed=True),),
        takes_logs=False,
        danger=True,
    ),
)
