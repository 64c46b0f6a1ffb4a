"""The policy is one that qrexec accepts, and sends logs to the LogVM and nowhere else."""

import re

import pytest

from tests.qrexec_policy.conftest import POLICY, SETUP
from tests.qrexec_policy.reading import Qube, Refused, Rule, decide, parse

QUBES = [
    Qube("sys-log"),
    Qube("work"),
    Qube("vault"),
    Qube("disp42"),
    Qube("anon-whonix", frozenset({"anon-vm"})),
    Qube("sys-whonix", frozenset({"anon-gateway"})),
]
APPEND = "logchain.Append"


@pytest.fixture
def rules() -> list[Rule]:
    """The rules of the file."""
    return parse(POLICY.read_text("ascii"))


@pytest.mark.parametrize(
    ("source", "target", "goes_to"),
    [
        ("work", "@default", "sys-log"),
        ("vault", "@default", "sys-log"),
        ("disp42", "@default", "sys-log"),
        ("sys-log", "@default", ""),
        ("anon-whonix", "@default", ""),
        ("sys-whonix", "@default", ""),
        ("work", "vault", ""),
        ("work", "sys-log", ""),
        ("sys-log", "work", ""),
    ],
)
def test_who_may_send_where(rules: list[Rule], source: str, target: str, goes_to: str) -> None:
    """Everybody but the LogVM and Whonix reaches the LogVM, by @default only, and nobody is told of a refusal."""
    assert decide(rules, APPEND, source, target, QUBES) == (goes_to, False)


def test_a_logvm_that_is_off_is_not_started(rules: list[Rule]) -> None:
    """Calls to a LogVM that is off are refused in silence: it can be shut down, and stays so."""
    qubes = [Qube("sys-log", running=False), *QUBES[1:]]
    assert decide(rules, APPEND, "work", "@default", qubes) == ("", False)


def test_why_the_installer_looks_for_the_logvm(rules: list[Rule]) -> None:
    """Without a LogVM each call would be shown to the person: the installer must not let that be."""
    assert decide(rules, APPEND, "work", "@default", QUBES[1:]) == ("", True)


def test_other_services_are_not_touched(rules: list[Rule]) -> None:
    """The file says nothing of any service but ours."""
    assert {rule.service for rule in rules} == {APPEND}


def test_its_name_is_one_that_qrexec_reads() -> None:
    """One file name that qrexec does not like denies every call; 30 stands before what packages bring."""
    assert re.fullmatch(r"[0-9a-z_-]+\.policy", POLICY.name)
    assert POLICY.name < "60"


def test_the_services_options() -> None:
    """The agent connects as the collectors' user, in the small TOML that it reads: single quotes, no comment."""
    for name in (APPEND, "qubes.Log"):
        assert (SETUP.parent / "rpc-config" / name).read_text() == "force-user='logchain-in'\n"


@pytest.mark.parametrize(
    "line",
    [
        "logchain.Append * @anyvm @default allow",
        "logchain.Append * @anyvm @default deny notify=no # why",
        "logchain.Append * @anyvm @default allow target=sys-log autostart=false",
        "logchain.Append @anyvm @default deny",
        "logchain.Append * @default @anyvm deny",
        "logchain.Append * @anyvm @default allow target=sys-log target=other",
        "logchain.Append * @any @default deny",
        "logchain.Append * @anyvm @default permit",
    ],
)
def test_the_reading_is_strict(line: str) -> None:
    """What qrexec refuses, the reading that judges our files refuses too."""
    with pytest.raises(Refused):
        parse(line)


def test_who_may_ask_the_witness() -> None:
    """The LogVM reaches the witness's qube by @default only; nobody else does, and nobody is told of a refusal."""
    rules = parse((POLICY.parent / "31-logchain-witness.policy").read_text("ascii"))
    for source, target, goes_to in (
        ("sys-log", "@default", "vault"),
        ("work", "@default", ""),
        ("work", "vault", ""),
        ("sys-log", "vault", ""),
        ("vault", "sys-log", ""),
    ):
        assert decide(rules, "logchain.Witness", source, target, QUBES) == (goes_to, False)
    asleep = [qube._replace(running=False) if qube.name == "vault" else qube for qube in QUBES]
    assert decide(rules, "logchain.Witness", "sys-log", "@default", asleep) == ("", False)
