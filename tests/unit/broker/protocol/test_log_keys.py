"""Following a log from one key to the next, and every way to lead somebody to a key that is not the log's."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.protocol import log_keys
from broker.protocol.checkpoint import VerifierKey
from broker.protocol.errors import BadInput, NarrowgateError, VerificationFailed
from broker.protocol.log_keys import FollowedKeys, WitnessQuorum
from broker.protocol.messages.base import encode
from broker.protocol.messages.log_keys import LogKeyChain, LogKeyLink
from tests.log_key_case import KeyedLog, chain, log_key, quorum

ONE, TWO, THREE = log_key("one"), log_key("two"), log_key("three")


def follow(
    file: LogKeyChain, pinned: VerifierKey = ONE, needed: int = 2, accept_lost: bool = False
) -> FollowedKeys:
    return log_keys.follow(file, pinned, (quorum(needed),), accept_lost=accept_lost)


def refused(link: LogKeyLink, match: str) -> None:
    with pytest.raises(VerificationFailed, match=match):
        follow(chain(link))


# --- the honest way ---


def test_one_change_leads_from_the_pinned_key_to_the_new_one() -> None:
    followed = follow(chain(KeyedLog().rotate("one", "two")))
    assert followed.newest == TWO
    assert not followed.lost
    assert [(each.key, each.from_size, each.until_size) for each in followed.periods] == [
        (ONE, 0, 6),
        (TWO, 6, None),
    ]


def test_two_changes_lead_on_from_either_key() -> None:
    log = KeyedLog()
    file = chain(log.rotate("one", "two"), log.grow(3).rotate("two", "three"))
    for pinned in (ONE, TWO, THREE):
        followed = follow(file, pinned)
        assert followed.newest == THREE
        assert [each.until_size for each in followed.periods] == [6, 10, None]


def test_the_first_change_of_an_empty_log_is_its_first_entry() -> None:
    assert follow(chain(KeyedLog(entries=0).rotate("one", "two"))).periods[0].until_size == 1


def test_a_later_checkpoint_of_both_keys_proves_it_as_well() -> None:
    log = KeyedLog()
    changed = log.change("one", "two")
    assert follow(chain(log.grow(20).link(changed))).newest == TWO


def test_witnesses_of_either_roster_may_have_cosigned() -> None:
    file = chain(KeyedLog().rotate("one", "two"))
    nobody = WitnessQuorum((VerifierKey("w3.example.org", 4, bytes(32)),), 1)
    with pytest.raises(VerificationFailed, match="Too few"):
        log_keys.follow(file, ONE, (nobody,))
    assert log_keys.follow(file, ONE, (nobody, quorum())).newest == TWO


def test_the_file_is_read_back_as_it_was_written() -> None:
    file = chain(KeyedLog().rotate("one", "two"))
    assert log_keys.read_chain(encode(file)) == file
    with pytest.raises(BadInput, match="no file of log keys"):
        log_keys.read_chain(b"{}")


# --- a key that is not the log's ---


def test_a_key_that_the_old_one_did_not_sign_is_not_followed() -> None:
    log = KeyedLog()
    refused(log.link(log.change("one", "two", by_old="mallory")), "may not sign it")


def test_a_key_that_did_not_sign_itself_is_not_followed() -> None:
    """Else a log could be given a key that is somebody else's."""
    log = KeyedLog()
    refused(log.link(log.change("one", "two", by_new="one")), "may not sign it")


def test_both_keys_sign_one_and_the_same_statement() -> None:
    log = KeyedLog()
    refused(log.link(log.change("one", "two", signed_reason="Another.")), "different statements")


def test_a_statement_about_another_log_is_not_followed() -> None:
    log = KeyedLog()
    refused(log.link(log.change("one", "two", origin="other.example.org/log")), "another log")


@pytest.mark.parametrize("from_size", [1, 5, 7, 100])
def test_a_statement_from_another_size_than_its_place_is_not_followed(from_size: int) -> None:
    log = KeyedLog()
    refused(log.link(log.change("one", "two", from_size=from_size)), "another place")


def test_an_entry_of_another_kind_changes_no_key() -> None:
    log = KeyedLog()
    refused(log.link(log.change("one", "two", kind="ADMITTED")), "another kind")


@pytest.mark.parametrize("keys", [("one",), ("two",), ("mallory",), ("mallory", "one")])
def test_the_checkpoint_is_signed_by_both(keys: tuple[str, ...]) -> None:
    log = KeyedLog()
    refused(log.link(log.change("one", "two"), keys=keys), "not signed with the log's key")


@pytest.mark.parametrize("witnesses", [(), ("w1.example.org",)])
def test_the_checkpoint_is_cosigned_by_enough(witnesses: tuple[str, ...]) -> None:
    log = KeyedLog()
    refused(log.link(log.change("one", "two"), witnesses=witnesses), "Too few")


def test_an_entry_that_is_not_in_the_witnessed_log_is_not_followed() -> None:
    log, fork = KeyedLog(), KeyedLog("another")
    link = log.link(log.change("one", "two"))
    fork.change("one", "two", by_old="mallory")
    elsewhere = link.proof.model_copy(update={"checkpoint": fork.note("two", "one")})
    refused(link.model_copy(update={"proof": elsewhere}), "does not lead to this root")


def test_a_record_that_is_not_the_entrys_is_not_followed() -> None:
    log = KeyedLog()
    honest = log.link(log.change("one", "two"))
    other = KeyedLog().change("one", "mallory")
    refused(honest.model_copy(update={"record": other.record, "salt": other.salt}), "digest")


def test_a_file_that_does_not_begin_at_the_pinned_key_says_what_to_do() -> None:
    file = chain(KeyedLog().rotate("one", "two"))
    with pytest.raises(VerificationFailed, match=r"does not lead from the key.*keep both files"):
        follow(file, log_key("stranger"))


def test_a_file_of_another_log_is_refused() -> None:
    file = chain(KeyedLog().rotate("one", "two"), origin="other.example.org/log")
    with pytest.raises(VerificationFailed, match="of another log"):
        follow(file)


def test_changes_that_leave_one_out_are_refused() -> None:
    log = KeyedLog()
    first, _, third = log.rotate("one", "two"), log.rotate("two", "three"), log.rotate("three", "four")
    with pytest.raises(VerificationFailed, match="follow one another"):
        follow(chain(first, third))


def test_changes_in_the_wrong_order_are_refused() -> None:
    log = KeyedLog()
    first, second = log.rotate("one", "two"), log.rotate("two", "three")
    with pytest.raises(VerificationFailed):
        follow(chain(second, first))


def test_of_two_successors_who_followed_one_refuses_the_other() -> None:
    log = KeyedLog()
    first, second = log.rotate("one", "two"), log.rotate("one", "three")
    assert follow(chain(first)).newest == TWO
    with pytest.raises(VerificationFailed, match="two successors"):
        follow(chain(second), TWO)


def test_a_second_successor_in_a_fork_has_no_cosignatures() -> None:
    """Witnesses cosign one history; the fork's checkpoint bears none, whoever signed it."""
    log, fork = KeyedLog(), KeyedLog("another")
    assert follow(chain(log.rotate("one", "two"))).newest == TWO
    forked = fork.link(fork.change("one", "mallory"), witnesses=())
    refused(forked, "Too few")


# --- which key an old or a new note has to bear ---


def test_each_key_counts_for_its_own_sizes() -> None:
    log = KeyedLog()
    followed = follow(chain(log.rotate("one", "two")))
    log.grow(10)
    assert followed.key_for(log.note("one", size=3)) == ONE
    assert followed.key_for(log.note("one", size=6)) == ONE
    assert followed.key_for(log.note("two", "one", size=6)) == TWO
    assert followed.key_for(log.note("two", "one", size=9)) == TWO
    assert followed.key_for(log.note("two", size=16)) == TWO


def test_a_stolen_old_key_signs_no_longer_log() -> None:
    log = KeyedLog()
    followed = follow(chain(log.rotate("one", "two")))
    for size in (7, 50):
        stolen = KeyedLog("stolen", 50).note("one", size=size)
        with pytest.raises(VerificationFailed, match=r"no longer had at that size.*stolen"):
            followed.key_for(stolen)


def test_the_new_key_signs_nothing_from_before_its_time() -> None:
    log = KeyedLog()
    followed = follow(chain(log.rotate("one", "two")))
    with pytest.raises(VerificationFailed, match="no longer had"):
        followed.key_for(log.note("two", size=3))


def test_a_note_of_a_stranger_is_to_be_verified_under_the_newest_key() -> None:
    log = KeyedLog()
    assert follow(chain(log.rotate("one", "two"))).key_for(log.note("mallory")) == TWO


def test_a_key_from_before_the_pinned_one_counts_only_where_witnesses_saw_its_change() -> None:
    """The thief of an old key may make up a key before it."""
    log, made_up = KeyedLog(), KeyedLog("made up", 2)
    forged = made_up.link(made_up.change("mallory", "one"), witnesses=())
    file = chain(forged, log.rotate("one", "two"))
    assert [each.key for each in follow(file, TWO).periods] == [ONE, TWO]
    witnessed = made_up.link(made_up.change("zero", "one"))
    assert [each.key for each in follow(chain(witnessed, log.rotate("one", "two")), TWO).periods] == [
        log_key("zero"),
        ONE,
        TWO,
    ]


# --- a key that was lost ---


def lost(log: KeyedLog, last_size: int = 4, story: KeyedLog | None = None) -> LogKeyLink:
    last = (story or log).note("one", size=last_size)
    changed = log.change("one", "two", by_old=None)
    return log.link(changed, keys=("two",), last=last, last_size=last_size)


def test_a_lost_key_is_left_only_where_people_accept_it() -> None:
    file = chain(lost(KeyedLog()))
    with pytest.raises(VerificationFailed, match="--accept-lost-key"):
        follow(file)
    followed = follow(file, accept_lost=True)
    assert (followed.newest, followed.lost) == (TWO, True)


def test_a_lost_key_from_before_the_pinned_one_needs_no_word() -> None:
    assert follow(chain(lost(KeyedLog())), TWO).periods[0].key == ONE


def test_the_log_goes_on_from_what_the_lost_key_signed_last() -> None:
    link = lost(KeyedLog(), story=KeyedLog("another"))
    with pytest.raises(VerificationFailed):
        follow(chain(link), accept_lost=True)


def test_without_the_last_checkpoint_nobody_leaves_a_lost_key() -> None:
    link = lost(KeyedLog()).model_copy(update={"last_checkpoint": None})
    with pytest.raises(VerificationFailed, match="how far the log came"):
        follow(chain(link), accept_lost=True)


def test_a_lost_keys_last_checkpoint_is_its_own_and_cosigned() -> None:
    log = KeyedLog()
    changed = log.change("one", "two", by_old=None)
    for last in (log.note("mallory", size=4), log.note("one", size=4, witnesses=())):
        link = log.link(changed, keys=("two",), last=last, last_size=4)
        with pytest.raises(VerificationFailed, match="does not verify"):
            follow(chain(link), accept_lost=True)


def test_a_log_that_is_shorter_than_the_lost_key_signed_is_not_followed() -> None:
    link = lost(KeyedLog()).model_copy(update={"last_checkpoint": KeyedLog("", 30).note("one", size=30)})
    with pytest.raises(VerificationFailed, match="longer"):
        follow(chain(link), accept_lost=True)


def test_an_entry_that_says_the_key_was_lost_needs_the_word_whatever_else_is_signed() -> None:
    """The operator cannot leave the old key's signature out and be followed as if it were there."""
    log = KeyedLog()
    changed = log.change("one", "two", by_old=None)
    for link in (
        log.link(changed),
        log.link(changed, keys=("two", "one"), last=log.note("one", size=4), last_size=4),
    ):
        with pytest.raises(VerificationFailed):
            follow(chain(link))


@settings(max_examples=30)
@given(st.data())
def test_no_damaged_file_leads_to_a_key_that_is_not_the_logs(data: st.DataObject) -> None:
    log = KeyedLog()
    written = bytearray(encode(chain(log.rotate("one", "two"), log.grow(2).rotate("two", "three"))))
    at = data.draw(st.integers(0, len(written) - 1))
    written[at] ^= 1 << data.draw(st.integers(0, 6))
    try:
        followed = follow(log_keys.read_chain(bytes(written)))
    except NarrowgateError:
        return
    assert followed.newest == THREE
