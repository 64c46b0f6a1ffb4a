"""How much room VMs take, and how that compares with their quotas."""

import os
from pathlib import Path

from logchain.collect.allowance import Quota
from logchain.collect.control import SUPERSEDE, format_standing, parse_standing
from logchain.collect.weights import LEDGER, compare, parse_weights, weigh
from logchain.format.settings import parse_settings
from logchain.store.layout import open_store
from tests.conftest import Store

SETTINGS = parse_settings('[each-vm]\nquota = "1000 B"\n[disposables]\nquota = "400 B"\n[vm.work]\nquota = "2000 B"\n')


def test_all_that_a_store_holds_is_weighed(store: Store, tmp_path: Path) -> None:
    """Streams of a VM together, allocated blocks and 16 KiB a segment; quarantine and the ledger count."""
    store.log(b"x" * 60_000, stream="one")
    store.log(b"x" * 60_000, stream="two")
    store.log(b"x", vm="web")
    quarantine = store.directory("web") / "quarantine"
    quarantine.mkdir(exist_ok=True)
    (quarantine / "torn").write_bytes(bytes(500_000))
    path = tmp_path / "weights"
    with open_store(store.path) as root:
        weigh(root, os.open(path, os.O_WRONLY | os.O_CREAT))
    weights = parse_weights(path.read_bytes())
    assert weights
    assert weights.keys() == {"work", "web", LEDGER}
    assert 120_000 + 2 * 16_384 < weights["work"] < 250_000
    assert 500_000 + 16_384 < weights["web"] < 600_000
    assert weights[LEDGER] > 0


def test_half_of_the_weights_is_none() -> None:
    """Who weighs was killed: nobody is judged by it."""
    assert parse_weights(b"work 1\nweb 2\n\n") == {"work": 1, "web": 2}
    for data in (b"", b"work 1\n", b"work 1\nweb"):
        assert parse_weights(data) is None


def test_weights_are_compared_with_quotas() -> None:
    """Over at the quota, spent at a quarter beyond; disposables are weighed together; who is within is not named."""
    weights = {LEDGER: 10**9, "web": 1_000, "mail": 1_250, "work": 1_999, "disp1": 200, "disp2": 200}
    assert compare(weights, SETTINGS) == {"web": Quota.OVER, "mail": Quota.SPENT, "disp*": Quota.OVER}


def test_over_the_cap_nobody_is_within() -> None:
    """The ledger counts too."""
    settings = SETTINGS._replace(store=SETTINGS.store._replace(cap=600))
    assert compare({LEDGER: 500, "web": 50, "work": 40}, settings) == {}
    assert compare({LEDGER: 500, "web": 60, "work": 40}, settings) == {"web": Quota.OVER, "work": Quota.OVER}


def test_what_is_said_on_the_control_socket_is_understood() -> None:
    """Each quota, streams up to as many as a byte can say; a demand or a signal is neither."""
    for quota in Quota:
        for streams in (1, 2, 127, 500):
            first, second = format_standing(quota, streams)
            assert parse_standing(first) == (quota, None)
            assert parse_standing(second) == (None, min(streams, 127))
    for word in (*range(65), *SUPERSEDE):
        assert parse_standing(word) == (None, None)
