"""Whatever is changed in a case folder, a check fails, and says which: by a stranger, and by the requester itself."""

from collections.abc import Callable, Iterator, Mapping

import pytest

from broker.protocol import documents
from broker.protocol.messages.base import Message, MessageT, encode, read
from broker.protocol.messages.ladder import ContributorRelease
from broker.protocol.messages.parties import Space
from broker.protocol.messages.requests import Opening
from clients.case_file.checks import CHECKS, CheckFailed, Pinned, check_case
from clients.case_file.layout import INDEX, MANIFEST
from clients.case_file.papers import CaseManifest, FoundIdentifiers, OpenedRecordKey
from clients.requesting.answers import AnswerAwaited
from clients.requesting.request_folder import RequestFolder, request_ids
from tests.case_story import CaseStory
from tests.world import phone

Files = dict[str, bytes]
HITS, SOURCES, TOP = "steps/1-hits", "steps/2-sources", "steps/3-payload"


def failing(files: Mapping[str, bytes], pinned: Pinned | None = None) -> str:
    """The name of the check that fails."""
    with pytest.raises(CheckFailed) as caught:
        check_case(files, pinned)
    assert CHECKS[caught.value.number - 1][0] == caught.value.name
    assert f"Check {caught.value.number} ({caught.value.name}) failed: " in caught.value.detail
    return caught.value.name


# --- a stranger ---


def test_a_changed_byte_of_any_file_is_found(story: CaseStory) -> None:
    assert len(story.files) > 40
    for name, data in story.files.items():
        for place in (0, len(data) // 2, len(data) - 1):
            changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
            # The last bits of a signature in base64url may be spare: then it is not in its one form.
            assert failing({**story.files, name: changed}) in ("files", "manifest"), name


def test_a_missing_file_is_found(story: CaseStory) -> None:
    for name in story.files:
        assert failing({key: data for key, data in story.files.items() if key != name}) == "files", name


@pytest.mark.parametrize(
    "name", ["note.txt", "records/3/note", "steps/1-hits/findings/2.jws", "steps/4-hits/request.jws"]
)
def test_a_file_that_was_added_is_found(story: CaseStory, name: str) -> None:
    assert failing({**story.files, name: b"x"}) == "files"


def test_two_records_that_were_swapped_are_found(story: CaseStory) -> None:
    assert failing(swapped(story.files, "records/1/plaintext", "records/2/plaintext")) == "files"
    assert failing(swapped(story.files, "records/1/opened.json", "records/2/opened.json")) == "files"


def test_another_cases_manifest_is_found(story: CaseStory) -> None:
    other = story.export("other", story.sources)
    assert failing({**story.files, MANIFEST: other[MANIFEST]}) == "files"


@pytest.mark.parametrize(
    ("requester", "check"), [("unit-1", "manifest"), ("company-1", "requests"), ("x", "manifest")]
)
def test_another_partys_manifest_over_these_files_is_found(
    story: CaseStory, requester: str, check: str
) -> None:
    assert failing(story.resigned(story.files, "company-1", requester=requester)) == check


def test_nothing_at_all_is_no_case() -> None:
    assert failing({}) == "files"
    assert failing({MANIFEST: b"\xff"}) == "files"


# --- whose space it is ---


def test_a_pinned_space_document_is_compared(story: CaseStory) -> None:
    founder, space = story.world.homes["company-1"].enrolment, story.world.signed_space.document
    assert check_case(story.files, Pinned(founder, space)).pinned
    other = story.world.homes["company-2"].enrolment
    assert failing(story.files, Pinned(other, space)) == "space"
    next_roster = story.world.space.model_copy(update={"roster_version": 2})
    signed = documents.sign(next_roster, story.world.homes["company-1"].signing_key).document
    assert failing(story.files, Pinned(founder, signed)) == "space"


def test_a_space_of_the_requesters_own_making_is_found(story: CaseStory) -> None:
    home = story.world.homes["unit-1"]
    forged: Space = story.world.space.model_copy(update={"name": "Another space"})
    files = {
        **story.files,
        "founder.jws": home.enrolment.encode(),
        "space/roster-00000001.jws": documents.sign(forged, home.signing_key).document.encode(),
    }
    pinned = Pinned(story.world.homes["company-1"].enrolment, story.world.signed_space.document)
    assert failing(story.resigned(files), pinned) == "space"
    # Unpinned, the broker's and holders' keys would have to be forged as well; their names of the space are signed.
    assert check_case(story.resigned(files)).founder_kid != check_case(story.files).founder_kid
    assert failing(story.resigned({**story.files, "founder.jws": home.enrolment.encode()})) == "space"


# --- the requester itself ---


def swapped(files: Mapping[str, bytes], first: str, second: str) -> Files:
    assert files[first] != files[second]
    return {**files, first: files[second], second: files[first]}


def without(files: Mapping[str, bytes], *names: str) -> Files:
    return {name: data for name, data in files.items() if name not in names}


def edited(
    files: Mapping[str, bytes], name: str, kind: type[MessageT], edit: Callable[[MessageT], Message]
) -> Files:
    return {**files, name: encode(edit(read(kind, files[name])))}


def other_identifier(found: FoundIdentifiers) -> FoundIdentifiers:
    first = found.found[0].model_copy(update={"identifier": phone(3)})
    return found.model_copy(update={"found": (first, *found.found[1:])})


def fewer(found: FoundIdentifiers) -> FoundIdentifiers:
    return found.model_copy(update={"found": found.found[1:]})


def other_key(opened: OpenedRecordKey) -> OpenedRecordKey:
    return opened.model_copy(update={"key": bytes(32)})


def other_version(opened: OpenedRecordKey) -> OpenedRecordKey:
    return opened.model_copy(update={"record_version": 2})


def flipped(opening: Opening) -> Opening:
    first = opening.records[0]
    sealed = bytes([first.sealed[0] ^ 1]) + first.sealed[1:]
    return opening.model_copy(
        update={"records": (first.model_copy(update={"sealed": sealed}), *opening.records[1:])}
    )


def crossed(opening: Opening) -> Opening:
    declarations = {each.declaration for each in opening.records}
    first = opening.records[0]
    (other,) = declarations - {first.declaration}
    changed = first.model_copy(update={"declaration": other})
    return opening.model_copy(update={"records": (changed, *opening.records[1:])})


DISHONEST: dict[str, tuple[str, Callable[[Mapping[str, bytes]], Files]]] = {
    "a step is left out": (
        "requests",
        lambda files: {
            name.replace("2-sources", "1-sources").replace("3-payload", "2-payload"): data
            for name, data in files.items()
            if not name.startswith(HITS)
        },
    ),
    "two requests are swapped": (
        "requests",
        lambda files: swapped(files, f"{SOURCES}/request.jws", f"{TOP}/request.jws"),
    ),
    "two findings are swapped": (
        "findings",
        lambda files: swapped(files, f"{SOURCES}/findings/1.jws", f"{TOP}/findings/1.jws"),
    ),
    "a finding is left out": ("approvals", lambda files: without(files, f"{TOP}/findings/1.jws")),
    "two approvals are swapped": (
        "approvals",
        lambda files: swapped(files, f"{SOURCES}/approvals/1.jws", f"{TOP}/approvals/1.jws"),
    ),
    "one approval is there twice": (
        "approvals",
        lambda files: {**files, f"{TOP}/approvals/2.jws": files[f"{TOP}/approvals/1.jws"]},
    ),
    "two permits are swapped": (
        "permits",
        lambda files: swapped(files, f"{SOURCES}/admission.json", f"{TOP}/admission.json"),
    ),
    "two disclosures are swapped": (
        "disclosures",
        lambda files: swapped(files, f"{SOURCES}/disclosure.jws", f"{TOP}/disclosure.jws"),
    ),
    "the entries that record two answers are swapped": (
        "disclosures",
        lambda files: swapped(files, f"{SOURCES}/released.json", f"{TOP}/released.json"),
    ),
    "the tokens are another step's": (
        "disclosures",
        lambda files: swapped(files, f"{SOURCES}/tokens.json", f"{TOP}/tokens.json"),
    ),
    "the tokens are left out": ("disclosures", lambda files: without(files, f"{TOP}/tokens.json")),
    "a confirmation is left out": ("confirmations", lambda files: without(files, f"{HITS}/confirmation.jws")),
    "a confirmation is another step's": (
        "confirmations",
        lambda files: {**files, f"{HITS}/confirmation.jws": files[f"{SOURCES}/confirmation.jws"]},
    ),
    "an added confirmation is another step's": (
        "confirmations",
        lambda files: {**files, f"{TOP}/confirmation.jws": files[f"{SOURCES}/confirmation.jws"]},
    ),
    "one step shows another identifier": (
        "identifiers",
        lambda files: edited(files, f"{SOURCES}/found.json", FoundIdentifiers, other_identifier),
    ),
    "the last step shows less": (
        "identifiers",
        lambda files: edited(files, f"{TOP}/found.json", FoundIdentifiers, fewer),
    ),
    "the first step shows less": (
        "identifiers",
        lambda files: edited(files, f"{HITS}/found.json", FoundIdentifiers, fewer),
    ),
    "a sealed record is changed": (
        "records",
        lambda files: edited(files, f"{TOP}/opening.json", Opening, flipped),
    ),
    "a record is put under another root": (
        "records",
        lambda files: edited(files, f"{TOP}/opening.json", Opening, crossed),
    ),
    "the sealed records are left out": ("records", lambda files: without(files, f"{TOP}/opening.json")),
    "a key holder's statement is left out": (
        "key-holders",
        lambda files: without(files, f"{HITS}/evaluations/6.jws"),
    ),
    "two steps' statements are swapped": (
        "key-holders",
        lambda files: swapped(files, f"{HITS}/evaluations/1.jws", f"{TOP}/evaluations/1.jws"),
    ),
    "two plaintexts are swapped": (
        "plaintexts",
        lambda files: swapped(files, "records/1/plaintext", "records/2/plaintext"),
    ),
    "two records are swapped": (
        "plaintexts",
        lambda files: swapped(
            swapped(files, "records/1/plaintext", "records/2/plaintext"),
            "records/1/opened.json",
            "records/2/opened.json",
        ),
    ),
    "a plaintext is replaced": (
        "plaintexts",
        lambda files: {**files, "records/1/plaintext": b'{"signals":[],"v":1}'},
    ),
    "a key is another": (
        "plaintexts",
        lambda files: edited(files, "records/1/opened.json", OpenedRecordKey, other_key),
    ),
    "a version is another": (
        "plaintexts",
        lambda files: edited(files, "records/1/opened.json", OpenedRecordKey, other_version),
    ),
    "a record is left out": (
        "plaintexts",
        lambda files: without(files, "records/4/plaintext", "records/4/opened.json"),
    ),
    "the statements of the opening are left out": (
        "plaintexts",
        lambda files: {
            name: data for name, data in files.items() if not name.startswith(f"{TOP}/evaluations/")
        },
    ),
    "the index says something else": (
        "index",
        lambda files: {**files, INDEX: files[INDEX].replace(b"company-1", b"company-9")},
    ),
    "a file is listed that no case has": ("files", lambda files: {**files, "records/1/note": b"x"}),
    "a paper is spelt otherwise": (
        "files",
        lambda files: {**files, f"{TOP}/found.json": files[f"{TOP}/found.json"].replace(b":", b": ", 1)},
    ),
}


@pytest.mark.parametrize("name", DISHONEST)
def test_the_requester_itself_cannot_sign_another_story(story: CaseStory, name: str) -> None:
    check, change = DISHONEST[name]
    assert failing(story.resigned(change(story.files))) == check


def test_what_the_requester_signs_again_unchanged_passes(story: CaseStory) -> None:
    assert story.resigned(story.files) == story.files


def test_a_manifest_of_another_case_is_found(story: CaseStory) -> None:
    assert failing(story.resigned(story.files, case_reference="CASE-2")) == "requests"
    assert failing(story.resigned(story.files, requests=(story.payload,))) == "requests"


# --- the contributor's own say ---


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CaseStory]:
    """A case that is asked on: of the one that all tests share, the others count the requests."""
    story = CaseStory(tmp_path_factory.mktemp("asking"))
    yield story
    story.close()


def asked_ngo(story: CaseStory, released: bool) -> bytes:
    """A payload request about a company's number and an NGO's, answered by the NGO and opened."""
    world, numbers = story.world, [phone(7), phone(20)]
    sources = world.climb(world.ask(numbers).request_id, numbers)
    with pytest.raises(AnswerAwaited):
        world.climb(sources.request_id, numbers)
    (asked,) = [each for each in world.releasing("ngo-1").asks() if not each.answered]
    world.releasing("ngo-1").answer(asked.permit_id, released, "" if released else "She asked us not to.")
    (waiting,) = [
        each
        for each in request_ids(world.homes["unit-1"].vault)
        if RequestFolder(world.homes["unit-1"].vault, each).state == "evaluated"
    ]
    world.requester().submit(waiting)
    world.payloads().open(waiting)
    return waiting


def test_a_record_opened_without_its_contributors_release_is_found(asking: CaseStory) -> None:
    request_id = asked_ngo(asking, released=True)
    files = asking.export("released", request_id)
    assert check_case(files).records == 3
    requests = documents.unverified_payload(CaseManifest, files[MANIFEST].decode()).requests
    name = f"{TOP}/opening.json"

    def failing_with(*releases: str) -> str:
        changed = edited(
            files, name, Opening, lambda opening: opening.model_copy(update={"releases": releases})
        )
        return failing(asking.resigned(changed, requests=requests))

    assert failing_with() == "records"
    (given,) = read(Opening, files[name]).releases
    said = documents.unverified_payload(ContributorRelease, given)
    for signer, changes in (
        ("ngo-1", {"released": False}),
        ("ngo-1", {"permit_id": bytes(16)}),
        ("company-1", {}),
    ):
        signed = documents.sign(said.model_copy(update=changes), asking.world.homes[signer].signing_key)
        assert failing_with(signed.document) == "records"


def test_a_refusal_stands_in_the_folder_and_its_records_do_not(asking: CaseStory) -> None:
    report = check_case(asking.export("withheld", asked_ngo(asking, released=False)))
    assert {paper.opened.contributor for paper in report.papers.records} == {"company-1", "company-2"}
    opening = report.papers.steps[-1].opening
    assert opening is not None
    assert len(opening.releases) == 1
