"""The state machine: which moves there are, what is refused, what a run's view shows."""

from __future__ import annotations

import pickle

import pytest

from foobara_accel.core.state import (
    CAN_FAIL_STATES,
    EMPTY_TRANSITION_SET,
    STATE_NAMES,
    TERMINAL_STATES,
    VALID_TRANSITIONS,
    CommandState,
    CommandStateMachine,
)

S = CommandState


def test_states_have_the_numbers_and_names_of_the_contract():
    assert [int(state) for state in S] == list(range(11))
    assert list(STATE_NAMES) == list(S)
    assert STATE_NAMES[S.COMMITTING_TRANSACTION] == "commit_transaction"
    assert {S.SUCCEEDED, S.FAILED, S.ERRORED} == TERMINAL_STATES
    assert not TERMINAL_STATES & CAN_FAIL_STATES


@pytest.mark.parametrize("state", S)
@pytest.mark.parametrize("wanted", S)
def test_a_move_goes_to_the_successor_to_failed_or_to_errored_and_nowhere_else(state, wanted):
    allowed = state not in TERMINAL_STATES and wanted in (state + 1, S.FAILED, S.ERRORED)
    machine = CommandStateMachine(state)
    assert machine.can_transition_to(wanted) is allowed
    assert machine.transition_to(wanted) is allowed
    assert machine.state is (wanted if allowed else state)
    assert machine.history == ([(state, wanted)] if allowed else [])
    assert (wanted in VALID_TRANSITIONS[state]) is allowed
    if state in TERMINAL_STATES:
        assert VALID_TRANSITIONS[state] == EMPTY_TRANSITION_SET


def test_a_whole_run_is_eight_moves_and_then_none():
    machine = CommandStateMachine()
    for state in list(S)[1:8]:
        assert machine.transition_to(state)
        assert machine.can_fail
    assert machine.succeed()
    assert machine.is_terminal
    assert not machine.can_fail
    assert machine.state_name == "succeeded"
    assert len(machine.history) == 8
    assert (machine.fail(), machine.error(), machine.succeed()) == (False, False, False)
    assert len(machine.history) == 8
    machine.reset()
    assert (machine.state, machine.history) == (S.INITIALIZED, [])
    assert machine.fail()
    assert machine.state is S.FAILED


def test_succeed_is_refused_before_the_commit():
    assert not CommandStateMachine(S.EXECUTING).succeed()
    assert CommandStateMachine(S.EXECUTING).error()


def test_the_history_handed_out_is_a_copy():
    machine = CommandStateMachine(S.FAILED, [(0, 9)])
    machine.history.clear()
    assert machine.history == [(S.INITIALIZED, S.FAILED)]
    assert all(type(state) is CommandState for pair in machine.history for state in pair)


def test_plain_ints_are_states():
    machine = CommandStateMachine(5)
    assert machine.transition_to(6)
    assert machine.state is S.EXECUTING


@pytest.mark.parametrize("bad", ["executing", None, 1.0, True, [], object()])
def test_what_is_no_state_is_a_type_error_that_names_the_argument(bad):
    with pytest.raises(TypeError, match=r"new_state must be a CommandState"):
        CommandStateMachine().transition_to(bad)
    with pytest.raises(TypeError, match=r"state must be a CommandState"):
        CommandStateMachine(state=bad)
    with pytest.raises(TypeError, match=r"history must be a CommandState"):
        CommandStateMachine(history=[(bad, 1)])


@pytest.mark.parametrize("bad", [-1, 11, 10**30])
def test_a_number_that_is_no_state_is_a_value_error(bad):
    with pytest.raises(ValueError, match=r"new_state=-?\d+ is no state"):
        CommandStateMachine().transition_to(bad)


@pytest.mark.parametrize(
    ("state", "entered", "moves"),
    [(8, 7, 8), (9, 2, 3), (10, 0, 1), (0, 0, 0), (6, 6, 6), (9, 0, 1)],
)
def test_the_view_of_a_run_follows_from_its_state_and_its_last_phase(state, entered, moves):
    class Run:
        _state = state
        _entered = entered

    machine = CommandStateMachine.of(Run())
    assert machine.state is S(state)
    assert len(machine.history) == moves
    replay = CommandStateMachine()
    for before, after in machine.history:
        assert replay.state is before
        assert replay.transition_to(after)
    assert replay.state is machine.state


def test_a_machine_pickles():
    machine = CommandStateMachine()
    machine.fail()
    copy = pickle.loads(pickle.dumps(machine))
    assert (copy.state, copy.history) == (machine.state, machine.history)
    assert "FAILED" in repr(copy)
