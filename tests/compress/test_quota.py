"""Which segments have to go: rules without a disk or a clock."""

from hypothesis import given
from hypothesis import strategies as st

from logchain.compress.quota import Room, Sealed, to_evict
from logchain.format.settings import Settings, parse_settings

DAY, MIB = 86_400, 1 << 20
SETTINGS = parse_settings(
    '[collector]\nreserve = "8 MiB"\n[each-vm]\nquota = "10 MiB"\nkeep-at-least = "2 days"\n'
    '[disposables]\nquota = "6 MiB"\n'
)


def sealed(vm: str, stream: str, *ages: int) -> list[Sealed]:
    """Return segments of 1 MiB, the oldest first, of these ages in days."""
    return [Sealed(vm, stream, number, MIB, age * DAY) for number, age in enumerate(ages, 1)]


def evicted(
    segments: list[Sealed], used: dict[tuple[str, str], int], free: int = 1_000, settings: Settings = SETTINGS
) -> list[tuple[str, str, int, str]]:
    """Return what goes, where so many MiB are used and free."""
    room = Room({stream: size * MIB for stream, size in used.items()}, 0, free * MIB)
    return [(*gone[:3], reason) for gone, reason in to_evict(segments, room, settings)]


def test_within_its_quota_nobody_loses_anything() -> None:
    """However old it is."""
    assert evicted(sealed("work", "main", 900, 800), {("work", "main"): 10}) == []


def test_the_oldest_go_until_the_quota_is_met() -> None:
    """One after the other, and not one more."""
    gone = evicted(sealed("work", "main", 9, 8, 7, 6), {("work", "main"): 12})
    assert gone == [("work", "main", 1, "quota"), ("work", "main", 2, "quota")]


def test_none_goes_before_its_time() -> None:
    """What is young stays, over the quota or not: a flood does not push out its own beginning."""
    assert evicted(sealed("work", "main", 3, 1, 1), {("work", "main"): 99}) == [("work", "main", 1, "quota")]


def test_a_flood_costs_nobody_else() -> None:
    """Another VM keeps its old ones, and the flooded stream goes first in its own VM."""
    segments = [*sealed("flood", "file", 9, 8), *sealed("flood", "journal", 90), *sealed("work", "main", 900)]
    used = {("flood", "file"): 9, ("flood", "journal"): 3, ("work", "main"): 9}
    assert evicted(segments, used) == [("flood", "file", 1, "quota"), ("flood", "file", 2, "quota")]


def test_disposables_share_one_budget() -> None:
    """Each is small, all together are not."""
    segments = [*sealed("disp1", "main", 5), *sealed("disp22", "main", 4)]
    used = {("disp1", "main"): 3, ("disp22", "main"): 4, ("display", "main"): 9}
    assert evicted(segments, used) == [("disp22", "main", 1, "quota")]


def test_the_cap_takes_from_who_has_most_of_its_quota() -> None:
    """Nobody is over its own, but all together are."""
    settings = SETTINGS._replace(store=SETTINGS.store._replace(cap=15 * MIB))
    segments = [*sealed("work", "main", 9, 8, 7), *sealed("web", "main", 99)]
    used = {("work", "main"): 9, ("web", "main"): 8}
    gone = evicted(segments, used, settings=settings)
    assert gone == [("work", "main", 1, "cap"), ("work", "main", 2, "cap")]


def test_the_reserve_is_kept_free() -> None:
    """A little more than the collectors leave, so that they need not stop."""
    gone = evicted(sealed("work", "main", 9, 8, 7, 6), {("work", "main"): 4}, free=7)
    assert gone == [("work", "main", number, "reserve") for number in (1, 2, 3)]


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "disp1", "disp2"]), st.sampled_from("st"), st.integers(0, 5)), max_size=30
    ),
    st.integers(0, 40),
)
def test_what_always_holds(found: list[tuple[str, str, int]], free: int) -> None:
    """None is young, none goes twice, a stream's go in order, and for its quota a VM gives only while it is over it."""
    numbers: dict[tuple[str, str], int] = {}
    segments = []
    for vm, stream, age in sorted(found, key=lambda one: -one[2]):
        numbers[vm, stream] = numbers.get((vm, stream), 0) + 1
        segments.append(Sealed(vm, stream, numbers[vm, stream], MIB, age * DAY))
    room = Room({stream: count * MIB for stream, count in numbers.items()}, 0, free * MIB)
    gone = list(to_evict(segments, room, SETTINGS))
    assert len({one for one, _ in gone}) == len(gone)
    assert all(one.age >= 2 * DAY for one, _ in gone)
    for of in numbers:
        order = [one.segment for one, _ in gone if one[:2] == of]
        assert order == list(range(1, len(order) + 1))
    left = dict(numbers)
    for one, reason in gone:
        budget = SETTINGS.budget(one.vm)
        used = sum(count for (vm, _), count in left.items() if SETTINGS.budget(vm) == budget)
        assert reason != "quota" or used * MIB > SETTINGS.of(one.vm).quota
        left[one.vm, one.stream] -= 1
