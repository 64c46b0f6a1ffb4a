"""How fast a stream is read: rules without a clock."""

from hypothesis import given
from hypothesis import strategies as st

from logchain.collect.allowance import Allowance, Bursts, Quota


def test_a_burst_is_free_and_then_the_rate_counts() -> None:
    """So many bytes at once; what goes beyond has to be waited for."""
    allowance = Allowance(rate=100, burst=1_000, saved=1_000, reserve=0, floor=10, now=0.0)
    allowance.took(1_000, 0.0)
    assert allowance.pause(0.0) == (0.0, "")
    allowance.took(50, 0.0)
    assert allowance.pause(0.0) == (0.5, "rate")
    assert allowance.pause(0.5) == (0.0, "")


def test_what_is_not_used_is_saved_up_to_the_burst() -> None:
    """A quiet hour is worth one burst, no more."""
    allowance = Allowance(rate=100, burst=1_000, saved=1_000, reserve=0, floor=10, now=0.0)
    allowance.took(1_000, 0.0)
    allowance.took(1_000, 3_600.0)
    assert allowance.pause(3_600.0) == (0.0, "")
    allowance.took(100, 3_600.0)
    assert allowance.pause(3_600.0) == (1.0, "rate")


def test_the_rate_is_shared_by_the_streams_of_a_vm() -> None:
    """A second stream halves it, from then on."""
    allowance = Allowance(rate=100, burst=0, saved=0, reserve=0, floor=10, now=0.0)
    allowance.took(100, 0.0)
    allowance.share(2, 0.0)
    assert allowance.pause(0.0) == (2.0, "rate")
    allowance.share(1, 1.0)
    assert allowance.pause(1.0) == (0.5, "rate")


def test_nothing_is_read_while_the_disk_is_nearly_full() -> None:
    """The reserve is looked at again and again, and reading goes on when there is room."""
    allowance = Allowance(rate=100, burst=1_000, saved=1_000, reserve=500, floor=10, now=0.0)
    allowance.found(499, 0.0)
    assert allowance.pause(0.25) == (0.75, "reserve")
    assert allowance.pause(1.0) == (0.0, "")
    allowance.found(500, 1.0)
    assert allowance.pause(1.0) == (0.0, "")


def test_over_its_quota_a_vm_is_read_no_faster_than_the_floor() -> None:
    """What it had saved is gone, its streams share the floor, and within the quota all is as before."""
    allowance = Allowance(rate=100, burst=1_000, saved=1_000, reserve=0, floor=10, now=0.0)
    allowance.share(2, 0.0)
    allowance.bound(Quota.OVER, 0.0)
    assert allowance.rate == 5
    allowance.took(10, 0.0)
    assert allowance.pause(0.0) == (2.0, "quota")
    assert allowance.pause(60.0) == (0.0, "")
    allowance.took(15, 60.0)
    assert allowance.pause(60.0) == (1.0, "quota")
    allowance.bound(Quota.WITHIN, 60.0)
    assert allowance.rate == 50
    assert allowance.pause(60.0) == (0.1, "rate")


def test_a_stream_that_begins_over_the_quota_has_nothing_saved() -> None:
    """Calling again and again is worth nothing."""
    allowance = Allowance(rate=100, burst=1_000, saved=1_000, reserve=0, floor=10, now=0.0, quota=Quota.OVER)
    allowance.took(10, 0.0)
    assert allowance.pause(0.0) == (1.0, "quota")


def test_a_burst_is_given_once() -> None:
    """The next stream of the VM gets what was saved since; another VM's is its own; forgotten is saved again."""
    bursts = Bursts()
    assert bursts.take("work", 1_000, 100, 0.0) == 1_000
    assert bursts.take("work", 1_000, 100, 0.0) == 0
    assert bursts.take("work", 1_000, 100, 2.0) == 200
    assert bursts.take("web", 1_000, 100, 2.0) == 1_000
    assert bursts.take("work", 1_000, 100, 100.0) == 1_000
    bursts.forget({"web"})
    assert bursts.take("work", 1_000, 100, 100.0) == 1_000
    assert bursts.take("web", 1_000, 100, 2.0) == 0


def test_the_floor_is_not_above_the_rate() -> None:
    """A VM that is slower than the floor anyway is not read faster for being over its quota."""
    allowance = Allowance(rate=5, burst=0, saved=0, reserve=0, floor=10, now=0.0)
    allowance.bound(Quota.OVER, 0.0)
    assert allowance.rate == 5


def test_a_vm_that_has_used_up_the_floor_as_well_is_not_read() -> None:
    """Not before there is room; then it begins with nothing saved."""
    allowance = Allowance(rate=100, burst=1_000, saved=1_000, reserve=0, floor=10, now=0.0)
    allowance.bound(Quota.SPENT, 0.0)
    assert allowance.pause(0.0) == (1.0, "quota")
    assert allowance.pause(3_600.0) == (1.0, "quota")
    assert allowance.rate == 0
    allowance.bound(Quota.WITHIN, 3_600.0)
    assert allowance.pause(3_600.0) == (0.0, "")
    allowance.took(100, 3_600.0)
    assert allowance.pause(3_600.0) == (1.0, "rate")


@given(st.lists(st.tuples(st.integers(0, 65_536), st.floats(0, 10)), max_size=50))
def test_over_any_time_no_more_than_burst_and_rate(reads: list[tuple[int, float]]) -> None:
    """Whoever keeps to the pauses reads no more than the burst, the rate times the time, and one read."""
    rate, burst, now, total = 1_000, 5_000, 0.0, 0
    allowance = Allowance(rate=rate, burst=burst, saved=burst, reserve=0, floor=rate, now=now)
    for size, idle in reads:
        now += idle
        now += allowance.pause(now)[0]
        allowance.took(size, now)
        total += size
        assert total <= burst + rate * now + 65_536 + 1
