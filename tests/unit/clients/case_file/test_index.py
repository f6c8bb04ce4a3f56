"""INDEX.txt is read by a judge: it has law, names and findings, and no identifier but the case's."""

import re
from dataclasses import replace

from broker.protocol import documents
from broker.protocol.messages.requests import Request
from clients.case_file import index
from clients.case_file.layout import from_files, to_files
from tests.case_story import SELECTED, CaseStory
from tests.world import POLICE, phone


def test_it_says_what_was_asked_on_what_law_and_who_approved(story: CaseStory) -> None:
    text = " ".join(story.files["INDEX.txt"].decode().split())
    for words in (
        "CASE FOLDER: CASE-1",
        "Unit 1 (unit-1)",
        "founded by Company 1 (company-1)",
        "5 identifier(s) asked about, in 3 step(s). Known to others and gone on with: 2.",
        "Records released: 4, all opened.",
        "eevidence_epoc, article 4, reference EPOC 1; issued by Public prosecutor, example",
        "by Desk 1 (desk-1)",
        "Supervisor 1 (supervisor-1), supervisor",
        "Prosecutor 1 (prosecutor-1), prosecutor",
        "Regulation (EU) 2023/1543 art 4",
        "looked at by officer-1",
        "known to Company 1 (company-1, company, company-1@example.org), Company 2",
        "narrowgate case verify FOLDER",
        "TRIAL",
        "Not proved: that what a contributor recorded is true",
    ):
        assert words in text, words


def test_it_names_every_kind_of_file_there_is(story: CaseStory) -> None:
    text = story.files["INDEX.txt"].decode()
    for path in sorted(story.files.keys() - {"INDEX.txt"}):
        first, _, last = path.partition("/")
        kind = first if first == "space" else path.split("/")[-2] if "/" in last else path
        if re.fullmatch(r"[0-9]+(-[a-z]+)?", kind):  # a step or record: its files are named one by one
            kind = path.split("/")[-1]
        assert kind in text, path


def test_it_has_no_identifier_but_those_gone_on_with_and_nothing_of_the_records(story: CaseStory) -> None:
    text = story.files["INDEX.txt"].decode()
    assert set(re.findall(r"phone/1\|\+\d+", text)) == {phone(number) for number in SELECTED}
    assert set(re.findall(r"\+\d{6,}", text)) == {phone(number).split("|")[1] for number in SELECTED}
    assert "signals" not in text


def test_free_text_cannot_pass_for_a_part_of_the_index(story: CaseStory) -> None:
    papers = from_files(story.files)
    step = papers.steps[0]
    asked = documents.unverified_payload(Request, step.request)
    text = "Needed.\n\n2. WHAT WAS FOUND\n------\n\x1b[2J\u202e Nothing."
    claims = asked.claims.model_copy(update={"necessity": text})
    signed = documents.sign(
        asked.model_copy(update={"claims": claims}), story.world.homes[POLICE].signing_key
    )
    changed = replace(papers, steps=(replace(step, request=signed.document), *papers.steps[1:]))
    lines = index.render(changed).splitlines()
    assert lines.count("2. WHAT WAS FOUND") == 1
    assert not any("\x1b" in line or "\u202e" in line for line in lines)
    assert "Needed. 2. WHAT WAS FOUND ------" in " ".join(index.render(changed).split())


def test_records_that_were_not_opened_are_said_to_be(story: CaseStory) -> None:
    text = story.unopened["INDEX.txt"].decode()
    assert "Records released: 4, none opened." in " ".join(text.split())
    assert "were released, and not opened before" in text


def test_the_files_have_one_reading(story: CaseStory) -> None:
    files = {name: data for name, data in story.files.items() if name not in ("INDEX.txt", "manifest.jws")}
    assert to_files(from_files(files)) == files
