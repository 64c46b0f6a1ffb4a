"""The settings: what is given counts, what is not stays, and what makes no sense is named by its line."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logchain.format import settings as module
from logchain.format.errors import UsageError
from logchain.format.settings import DEFAULT_SETTINGS, UNLIMITED, Settings, TierSettings, VmSettings, parse_settings


def test_nothing_given_is_the_default() -> None:
    """An empty file changes nothing."""
    assert parse_settings("") == DEFAULT_SETTINGS == Settings()


def test_the_example_of_the_page() -> None:
    """The example in the module's docstring says what it looks like."""
    example = "\n".join((module.__doc__ or "").splitlines()[2:])
    settings = parse_settings(example)
    assert settings.each_vm == VmSettings()
    assert settings.of("work").rate == 20 << 20
    assert settings.of("work").burst == 64 << 20
    assert settings.of("vault") == settings.each_vm
    assert (settings.connections, settings.reserve) == (120, 256 << 20)
    assert settings.tiers == TierSettings() == (3_600, 3, 86_400, 3)
    assert (settings.fingerprint or "").startswith("1e5b870b6e34")


def test_a_vm_has_what_each_vm_has_and_its_own() -> None:
    """A VM's table is laid over that of all, in whatever order they stand."""
    settings = parse_settings('[vm.work]\nrate = "1 KiB/s"\n[each-vm]\nstreams = 7\n[vm."disp-1"]\nconnections = 1\n')
    assert settings.of("work") == VmSettings(streams=7, rate=1024)
    assert settings.of("disp-1") == VmSettings(streams=7, connections=1)
    assert settings.of("other") == VmSettings(streams=7)


def test_disposables_share_a_budget() -> None:
    """Those with a name that Qubes gives, unless a table of their own names them; all else is as for each VM."""
    settings = parse_settings('[each-vm]\nstreams = 7\n[disposables]\nquota = "2 MiB"\n[vm.disp7]\nrate = "1 KiB/s"\n')
    assert settings.of("disp1234") == VmSettings(streams=7, quota=2 << 20)
    assert settings.of("disp7") == VmSettings(streams=7, rate=1024)
    assert settings.of("display") == VmSettings(streams=7)
    assert [settings.budget(vm) for vm in ("disp1", "disp22", "disp7", "work")] == ["disp*", "disp*", "disp7", "work"]
    assert parse_settings("").disposables == VmSettings(quota=1 << 30)


def test_times_and_no_limits() -> None:
    """Each unit, and the words for no limit at all."""
    settings = parse_settings(
        '[store]\ncap = "unlimited"\nsegment-age = "2 days"\nidle = "90 s"\nheads = "1 hour"\n'
        '[tiers]\nlz4-after = "never"\nxz-after = "3 hours"\n'
    )
    assert settings.store.cap == settings.tiers.lz4_after == UNLIMITED
    assert (settings.store.segment_age, settings.store.idle, settings.store.heads) == (172_800, 90, 3_600)
    assert settings.tiers.xz_after == 10_800


def test_the_smallest_and_the_largest() -> None:
    """What stands at a limit is within it."""
    small = parse_settings(
        '[store]\nsegment = "1 MiB"\n[tiers]\nlz4-level = 0\n[verify]\nrestored = 0\n'
        '[each-vm]\nstreams = 1\nrate = "0 B/s"\n'
    )
    assert (small.store.segment, small.tiers.lz4_level, small.each_vm.streams) == (1 << 20, 0, 1)
    assert (small.each_vm.rate, small.restored) == (1, 0)
    large = parse_settings(
        '[store]\nsegment = "128 MiB"\n[tiers]\nxz-level = 9\n[each-vm]\nstreams = 1000000\n[verify]\nrestored = 3\n'
    )
    assert (large.store.segment, large.tiers.xz_level, large.each_vm.streams) == (128 << 20, 9, 1_000_000)
    assert large.restored == 3


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[colector]\n", "line 1: colector is no setting"),
        ("rate = 1\n", "line 1: rate is no setting"),
        (
            "[collector]\nconections = 1\n",
            "line 2: conections is no setting of [collector]; there are connections, reserve",
        ),
        ("[each-vm]\n\nstreams = -1\n", "line 3: streams has to be a number from 1 to 1,000,000"),
        ("[each-vm]\nstreams = 0\n", "line 2: streams has to be"),
        ("[each-vm]\nstreams = true\n", "line 2: streams has to be"),
        ("[each-vm]\nstreams = 1.5\n", "line 2: streams has to be"),
        ('[each-vm]\nstreams = "7"\n', "line 2: streams has to be"),
        ('[collector]\nreserve = "1 MB"\n', 'line 2: reserve has to be a size, like "256 MiB"'),
        ('[collector]\nreserve = "-1 MiB"\n', "line 2: reserve has to be a size"),
        ("[collector]\nreserve = 1\n", "line 2: reserve has to be a size"),
        ('[each-vm]\nrate = "1 MiB"\n', 'line 2: rate has to be a rate, like "4 MiB/s"'),
        ('# rate\n[vm.work]\nrate = "4 MiB/m"\n', "line 3: rate has to be a rate"),
        ('[each-vm]\nrate = "1 MiB/s"\n[vm.work]\nrate = 1\n', "line 4: rate has to be a rate"),
        ('[store]\nidle = "1 week"\n', 'line 2: idle has to be a time, like "5 min" (s, min, hours, days)'),
        ('[store]\nheads = "0 s"\n', "line 2: heads has to be a time"),
        ("[store]\nidle = 5\n", "line 2: idle has to be a time"),
        ('[store]\nsegment = "1 KiB"\n', 'line 2: segment has to be a size from "1 MiB" to "128 MiB"'),
        ('[store]\nsegment = "1023 KiB"\n', "line 2: segment has to be"),
        ('[store]\nsegment = "129 MiB"\n', "line 2: segment has to be"),
        ("[each-vm]\nstreams = 1000001\n", "line 2: streams has to be"),
        ("[tiers]\nlz4-level = -1\n", "line 2: lz4-level has to be"),
        ("[verify]\nrestored = true\n", "line 2: restored has to be a number"),
        ("[verify]\nrestored = -1\n", "line 2: restored has to be a number"),
        ("[verify]\nfingerprint = 5\n", "line 2: fingerprint"),
        ("[open]\ndispvm = 5\n", "line 2: dispvm"),
        ('[open]\ndispvm = ""\n', "line 2: dispvm"),
        ('[open]\ndispvm = "a b"\n', "line 2: dispvm"),
        ('[store]\ncap = "never"\n', "line 2: cap has to be a size"),
        ('[tiers]\nxz-after = "unlimited"\n', "line 2: xz-after has to be a time"),
        ("[tiers]\nlz4-level = 10\n", "line 2: lz4-level has to be a level from 0 to 9"),
        ("[tiers]\nxz-level = true\n", "line 2: xz-level has to be a level"),
        ('[disposables]\nquota = "much"\n', "line 2: quota has to be a size"),
        ('[vm]\nwork = {rate = "1"}\n', "line 2: rate has to be a rate"),
        ('each-vm.rate = "1"\n', "line 1: rate has to be a rate"),
        ("[collector]\nconnections = " + 5_000 * "9", "not TOML"),
        ("a = " + 5_000 * "[", "not TOML"),
        ('"a\\nb" = 3\n', "a\\nb is no setting"),
        ("[vm.1work]\n", "line 1: vm.1work not a VM name"),
        ("vm = 1\n", "line 1: vm has to be tables"),
        ("each-vm = 1\n", "line 1: each-vm has to be a table"),
        ("[vm]\nwork = 1\n", "line 2: work has to be a table: [vm.work]"),
        ("[collector\n", "not TOML: "),
        ("[collector]\n[collector]\n", "not TOML: "),
    ],
)
def test_what_makes_no_sense_is_named(text: str, told: str) -> None:
    """One line, with the line and the key, and what it has to be."""
    with pytest.raises(UsageError) as caught:
        parse_settings(text)
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)


@given(st.text(alphabet=st.sampled_from('[]."=#\n vmrateconsx1-{},:'), max_size=80))
def test_any_text_is_settings_or_an_error(text: str) -> None:
    """Never another exception."""
    with suppress(UsageError):
        parse_settings(text)


def test_a_witness() -> None:
    """Its key, and how it is asked, word by word: no shell takes part."""
    key = "vault/logchain-witness+b0ddb259+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X"
    found = parse_settings(f'[witness]\nkey = "{key}"\ncommand = ["a b", "c"]\n')
    assert found.witness
    assert (found.witness.name, found.witness_command) == ("vault/logchain-witness", ("a b", "c"))
    for line in (
        'key = "rubbish"',
        "key = 1",
        'command = "a b"',
        "command = []",
        'command = ["", "a"]',
        "command = [1]",
    ):
        with pytest.raises(UsageError, match="line 2"):
            parse_settings(f"[witness]\n{line}\n")
