"""The gc profile: what it sets it takes back, and what it measures it measured."""

from __future__ import annotations

import gc
import json
import threading

import pytest


@pytest.fixture
def profiles(sub):
    module = sub("core.gc_profile")
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    yield module
    module.restore()
    gc.set_threshold(*before)
    assert gc.get_freeze_count() == frozen or gc.unfreeze() is None


def test_serve_collects_freezes_and_restores(profiles):
    before = gc.get_threshold()
    profile = profiles.tune()
    assert profile.active and profiles.active_profile() is profile
    assert gc.get_freeze_count() > 0
    assert gc.get_threshold() == before, "thresholds stay as they are unless asked for"
    assert profile.pauses.count >= 1, "the collection it starts is measured too"
    profile.restore()
    assert not profile.active and profiles.active_profile() is None
    assert gc.get_freeze_count() == 0
    assert gc.get_threshold() == before


def test_thresholds_are_relative_to_those_found(profiles):
    gc.set_threshold(500, 7, 0)
    own = gc.get_threshold()
    with profiles.GCProfile("watch", scale=10):
        scaled = gc.get_threshold()
        assert scaled[:2] == (5000, 70)
        assert scaled[2] == own[2] * 10, "a threshold of 0 stays 0"
    assert gc.get_threshold() == own


def test_factor_per_generation_and_limits(profiles):
    gc.set_threshold(1000, 10, 10)
    own = gc.get_threshold()
    with profiles.GCProfile("watch", scale=(2, 1, 0.001)):
        assert gc.get_threshold()[:2] == (2000, 10)
        assert gc.get_threshold()[2] == (1 if own[2] else 0), (
            "never scaled down to 0, which would switch it off"
        )
    with profiles.GCProfile("watch", scale=2.0**30):
        assert gc.get_threshold()[0] == 2**31 - 1
    assert gc.get_threshold() == own


def test_tune_twice_is_once(profiles):
    first = profiles.tune("serve", scale=2)
    applied = gc.get_threshold()
    assert profiles.tune("serve", scale=2) is first
    assert gc.get_threshold() == applied
    assert sum(callback is first._meter for callback in gc.callbacks) == 1
    assert first.apply() is first
    profiles.restore()
    assert profiles.restore() is None
    assert first.restore() is first


def test_another_profile_is_refused_and_changes_nothing(profiles):
    profiles.tune("serve")
    before, callbacks = gc.get_threshold(), list(gc.callbacks)
    with pytest.raises(RuntimeError, match="'serve' is applied already"):
        profiles.tune("watch", scale=3)
    assert gc.get_threshold() == before and gc.callbacks == callbacks


def test_thresholds_set_by_somebody_else_are_left(profiles):
    profile = profiles.tune("watch", scale=2)
    gc.set_threshold(1234, 5, 5)
    theirs = gc.get_threshold()
    profile.restore()
    assert gc.get_threshold() == theirs
    assert "changed meanwhile" in profile.notes[0]


def test_immortal_objects_are_nobodys_freeze(profiles):
    """CPython 3.12 counts them as frozen after each full collection."""
    for _ in range(2):
        gc.collect()
        profile = profiles.tune()
        assert profile.notes == ()
        profile.restore()
        assert gc.get_freeze_count() == 0


@pytest.mark.parametrize("keeps_immortals", [None, True])
def test_objects_frozen_by_somebody_else_stay_frozen(profiles, monkeypatch, keeps_immortals):
    if keeps_immortals:
        monkeypatch.setattr(profiles, "_KEEPS_IMMORTALS", True)
    gc.freeze()
    try:
        profile = profiles.tune()
        profile.restore()
        assert gc.get_freeze_count() > 0
        assert "frozen before" in profile.notes[0]
    finally:
        gc.unfreeze()


def test_context_manager_restores_on_an_exception(profiles):
    before = gc.get_threshold()
    with pytest.raises(KeyboardInterrupt), profiles.GCProfile("serve", scale=4):
        raise KeyboardInterrupt
    assert gc.get_threshold() == before and gc.get_freeze_count() == 0


def test_a_profile_can_be_applied_again(profiles):
    profile = profiles.GCProfile("watch", scale=2)
    for _ in range(3):
        before = gc.get_threshold()
        with profile:
            assert gc.get_threshold() != before
        assert gc.get_threshold() == before


def test_pauses_count_each_collection_by_generation(profiles):
    gc.disable()
    try:
        with profiles.GCProfile("watch") as profile:
            for generation in (0, 1, 2, 2):
                gc.collect(generation)
            pauses = profile.pauses
    finally:
        gc.enable()
    counts = {each.generation: each.count for each in pauses.generations}
    assert sum(counts.values()) == pauses.count == 4
    assert counts[2] >= 2
    assert 0 < pauses.longest <= pauses.total
    for each in pauses.generations:
        assert sum(each.histogram) == each.count
        assert each.percentile(0) <= each.percentile(50) <= each.percentile(100) <= each.longest
    assert json.loads(json.dumps(profile.to_dict()))["pauses"]["count"] == 4
    assert str(pauses).count("\n") == len(pauses.generations)


def test_collected_objects_are_counted(profiles):
    gc.disable()
    try:
        gc.collect()
        with profiles.GCProfile("watch") as profile:
            for _ in range(50):
                knot: list[object] = []
                knot.append(knot)
            del knot
            gc.collect()
            assert sum(each.collected for each in profile.pauses.generations) >= 50
    finally:
        gc.enable()


def test_nothing_is_measured_after_restore(profiles):
    profile = profiles.tune("watch")
    gc.collect()
    profile.restore()
    count = profile.pauses.count
    gc.collect()
    assert profile.pauses.count == count


@pytest.mark.parametrize(
    ("nanoseconds", "bucket"),
    [
        (0, 0),
        (999, 0),
        (1000, 0),
        (1001, 1),
        (2000, 1),
        (2001, 2),
        (4000, 2),
        (2**24 * 1000, 24),
        (10**12, 25),
    ],
)
def test_a_pause_falls_under_the_first_bound_not_below_it(profiles, monkeypatch, nanoseconds, bucket):
    clock = iter((1, 1 + nanoseconds))
    monkeypatch.setattr(profiles.time, "perf_counter_ns", lambda: next(clock))
    meter = profiles._Meter()
    meter("start", {"generation": 7})
    meter("stop", {"generation": 7})
    (row,) = meter.read().generations
    assert (row.generation, row.histogram.index(1)) == (7, bucket), "any generation number is accepted"
    if bucket < len(profiles.BOUNDS):
        assert nanoseconds / 1e9 <= profiles.BOUNDS[bucket]


def test_a_stop_without_a_start_is_no_pause(profiles):
    meter = profiles._Meter()
    meter("stop", {"generation": 2})
    assert meter.read().count == 0 and meter.read().longest == 0.0


def test_without_freeze_nothing_is_frozen_and_the_notes_say_so(profiles, monkeypatch):
    calls: list[str] = []
    monkeypatch.setattr(gc, "freeze", lambda: calls.append("freeze"))
    monkeypatch.setattr(gc, "unfreeze", lambda: calls.append("unfreeze"))
    monkeypatch.delattr(gc, "get_freeze_count")
    assert not profiles.capabilities().can_freeze
    with profiles.GCProfile() as profile:
        assert profile.notes == ("this interpreter cannot freeze: nothing was frozen",)
    assert calls == []


def test_capabilities_describe_this_interpreter(profiles):
    found = profiles.capabilities()
    assert found.thresholds == gc.get_threshold()
    assert found.generations == len(gc.get_stats())
    assert json.dumps(found.to_dict())


def test_threads_that_tune_and_restore_leave_the_state_found(profiles):
    before, callbacks = gc.get_threshold(), list(gc.callbacks)
    failures: list[BaseException] = []

    def switch() -> None:
        try:
            for _ in range(100):
                profiles.tune("watch", scale=2)
                profiles.restore()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=switch) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    profiles.restore()
    assert not failures
    assert gc.get_threshold() == before and gc.callbacks == callbacks


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"profile": "fast"}, ValueError, "'serve' or 'watch'"),
        ({"profile": "x" * 10_000_000}, ValueError, "no gc profile"),
        ({"profile": 3}, TypeError, "named by a string"),
        ({"freeze": 1}, TypeError, "freeze is True"),
        ({"collect": "yes"}, TypeError, "collect is True"),
        ({"scale": 0}, ValueError, "above 0"),
        ({"scale": -1}, ValueError, "above 0"),
        ({"scale": float("nan")}, ValueError, "above 0"),
        ({"scale": float("inf")}, ValueError, "above 0"),
        ({"scale": 10**400}, ValueError, "above 0"),
        ({"scale": "10"}, TypeError, "scale is a number"),
        ({"scale": True}, TypeError, "scale is a number"),
        ({"scale": ()}, ValueError, "empty"),
        ({"scale": (1, 2)}, ValueError, "2 factors"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_changes(profiles, arguments, error, says):
    before, callbacks = gc.get_threshold(), list(gc.callbacks)
    with pytest.raises(error, match=says):
        profiles.tune(**arguments)
    assert gc.get_threshold() == before and gc.callbacks == callbacks
    assert profiles.active_profile() is None


@pytest.mark.parametrize("percent", [-1, 100.1, float("nan")])
def test_a_percentile_outside_its_range_is_refused(profiles, percent):
    row = profiles.GenerationPauses(0, 0, 0.0, 0.0, 0, 0, (0,) * 26)
    with pytest.raises(ValueError, match="between 0 and 100"):
        row.percentile(percent)
    assert row.percentile(50) == 0.0
