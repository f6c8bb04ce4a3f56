"""The file of conditions: what a person leaves unanswered is never guessed."""

import datetime
import json
from pathlib import Path
from typing import Any

import pytest

from broker.protocol.errors import BadInput
from broker.protocol.messages.series import Conditions
from broker.protocol.messages.vocabulary import AgencyKind, Subject
from clients.cli.conditions import REMARKS, UNFILLED, read_conditions, template

NOW = 1_790_000_000
ANSWERS = {
    "contributor_kind": "ngo",
    "established_in": "DE",
    "lawful_ground": "vital_interests",
    "collection": "ngo_report",
    "inclusion_criterion": "Reported to our outreach staff and confirmed by a caseworker",
    "reviewed_by_person": True,
    "subject": "possible_victim",
    "special_category": False,
    "confidence_percent": 80,
    "permitted_jurisdictions": ["DE", "NL"],
    "notice_duty": False,
}


def _write(path: Path, **changes: Any) -> Path:
    page = template(None, NOW) | ANSWERS | changes
    path.write_text(json.dumps(page))
    return path


def test_every_field_of_the_conditions_has_a_remark_in_plain_words() -> None:
    assert set(REMARKS) == set(Conditions.model_fields)


def test_a_filled_in_template_is_read(tmp_path: Path) -> None:
    conditions = read_conditions(_write(tmp_path / "conditions.json", retain_until="2027-03-31"))
    assert conditions.contributor_kind is AgencyKind.NGO
    assert conditions.subject is Subject.POSSIBLE_VICTIM
    last_second = datetime.datetime(2027, 3, 31, 23, 59, 59, tzinfo=datetime.UTC)
    assert conditions.retain_until == int(last_second.timestamp())


def test_the_template_as_it_comes_is_refused_by_the_names_of_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "conditions.json"
    path.write_text(json.dumps(template(None, NOW)))
    with pytest.raises(BadInput, match="lawful_ground") as caught:
        read_conditions(path)
    unanswered = [
        name for name, answer in template(None, NOW).items() if UNFILLED in (answer, *_list(answer))
    ]
    assert all(name in caught.value.detail for name in unanswered)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"subject": "somebody"}, "subject"),
        ({"retain_until": "next year"}, "retain_until"),
        ({"confidence_percent": 101}, "confidence_percent"),
        ({"permitted_readers": []}, "permitted_readers"),
        ({"reviewed_by_person": "yes"}, "reviewed_by_person"),
    ],
)
def test_a_wrong_answer_is_named_by_its_field_and_not_repeated(
    tmp_path: Path, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadInput, match=field) as caught:
        read_conditions(_write(tmp_path / "conditions.json", **changes))
    assert "somebody" not in caught.value.detail
    assert "next year" not in caught.value.detail


def test_a_field_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not known"):
        read_conditions(_write(tmp_path / "conditions.json", permited_readers=["police"]))


def test_a_missing_comma_is_called_that(tmp_path: Path) -> None:
    path = tmp_path / "conditions.json"
    path.write_text('{"subject": "other"\n "consent": "given"}')
    with pytest.raises(BadInput, match="comma"):
        read_conditions(path)


def _list(answer: Any) -> list[Any]:
    return answer if isinstance(answer, list) else []
