"""What one VM may take: a sliding window, told the time."""

from hypothesis import given
from hypothesis import strategies as st

from logchain.collect.meter import Meter


def test_a_window_slides() -> None:
    """So many within the window, and one more as soon as the oldest is out of it."""
    meter = Meter(60.0)
    assert [meter.take("work", 3, now) for now in (0.0, 10.0, 20.0, 30.0, 59.999)] == [True, True, True, False, False]
    assert meter.take("work", 3, 60.0)
    assert not meter.take("work", 3, 69.999)
    assert meter.take("work", 3, 70.0)


def test_one_vm_does_not_disturb_another() -> None:
    """Each has a window of its own."""
    meter = Meter(60.0)
    assert meter.take("work", 1, 0.0)
    assert not meter.take("work", 1, 1.0)
    assert meter.take("web", 1, 1.0)


def test_what_is_refused_does_not_count() -> None:
    """Who asks on and on is served again when its time has come."""
    meter = Meter(60.0)
    assert meter.take("work", 1, 0.0)
    assert not any(meter.take("work", 1, float(now)) for now in range(1, 60))
    assert meter.take("work", 1, 60.0)


def test_quiet_vms_are_forgotten() -> None:
    """A thousand names do not add up, and who was active is remembered."""
    meter = Meter(60.0)
    for number in range(1_000):
        assert meter.take(f"disp{number}", 1, float(number) / 10)
    meter.forget(120.0)
    assert len(meter._events) == 399  # those of the last 60 s
    assert not meter.take("disp999", 1, 120.0)
    assert meter.take("disp0", 1, 120.0)


def test_a_limit_of_nothing() -> None:
    """Nobody may, and nobody is remembered for having asked."""
    meter = Meter(60.0)
    assert not meter.take("work", 0, 0.0)
    meter.forget(0.0)
    assert not meter._events


@given(st.integers(1, 5), st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 30)), max_size=60))
def test_never_more_than_so_many_in_any_window(most: int, steps: list[tuple[str, float]]) -> None:
    """Whatever the times: no window of 60 s has more, and none is refused that would fit."""
    meter, now, taken = Meter(60.0), 0.0, list[tuple[str, float]]()
    for vm, step in steps:
        now += step
        recent = [1 for who, when in taken if who == vm and now - when < 60.0]
        assert meter.take(vm, most, now) is (len(recent) < most)
        if len(recent) < most:
            taken.append((vm, now))
