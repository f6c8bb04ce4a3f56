"""The conditions of a deposit as questions in plain words, for somebody who has never edited a file.

Rule: each question can be answered at the terminal or by an option; an answer that is none of the choices is asked
again, or refused in words where nobody is asked. A cautious answer is offered where there is one. Answers are never
repeated in errors.

It decides nothing: whether the answers fit together is for the broker's rules.
"""

import datetime
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from broker.protocol.errors import BadInput
from broker.protocol.messages.vocabulary import (
    AgencyKind,
    Collection,
    Consent,
    Offence,
    PayloadCategory,
    Purpose,
    Subject,
    Tier,
)

Choices = Mapping[str, str]
Ask = Callable[[str, str | None], str]
"""Shows a question and the answer that Enter takes, and returns what was typed."""

_YES, _NO = "yes", "no"
YES_OR_NO: Choices = MappingProxyType({_YES: "yes", _NO: "no"})


@dataclass(frozen=True)
class Question:
    """One field of the conditions: what it asks, and among what. Without choices the answer is text of its `form`."""

    name: str
    asks: str
    choices: Choices = field(default_factory=dict)
    several: bool = False
    form: str = "text"


QUESTIONS = (
    Question(
        "lawful_ground",
        "On what ground do you share?",
        MappingProxyType(
            {
                "consent": "the person agreed",
                "vital_interests": "somebody's life or safety is at stake",
                "legal_obligation": "a law obliges you to",
                "public_task": "it is your task by law",
                "legitimate_interests": "your own legitimate interest; never towards police",
                "dsa_art_18": "a platform's duty to report threats to life (Digital Services Act, article 18)",
                "us_2258a": "a United States provider's duty to report (18 USC 2258A)",
            }
        ),
    ),
    Question(
        "collection",
        "How did you come by the data?",
        MappingProxyType(
            {
                Collection.NGO_REPORT: "a person told your helpline or organisation",
                Collection.USER_REPORT: "a user of your service reported it",
                Collection.OWN_DETECTION: "you found it yourself, on your own service",
                Collection.INVESTIGATION: "a police investigation",
            }
        ),
    ),
    Question(
        "inclusion_criterion",
        "By what test does an entry get into this file? One sentence that a reviewer can check.",
    ),
    Question("reviewed_by_person", "Has a person looked at each entry?", YES_OR_NO),
    Question(
        "subject",
        "Whom are all entries about? Split the file if they differ.",
        MappingProxyType(
            {
                Subject.VICTIM: "a victim",
                Subject.POSSIBLE_VICTIM: "somebody who may be a victim",
                Subject.MINOR: "a child",
                Subject.SUSPECT: "somebody suspected of a crime",
                Subject.CONVICTED: "somebody convicted of a crime",
                Subject.WITNESS: "a witness",
                Subject.OTHER: "somebody else",
            }
        ),
    ),
    Question(
        "consent",
        "Did the person concerned agree that you share this?",
        MappingProxyType({Consent.GIVEN: "yes, and you can show it", Consent.NOT_RELIED_ON: "was not asked"}),
    ),
    Question(
        "special_category",
        "Does an entry say something about health, sex life, origin or belief?",
        YES_OR_NO,
    ),
    Question(
        "payload_category",
        "What do you seal with an identifier, closed until you, rules and key holders agree to open it?",
        MappingProxyType(
            {
                PayloadCategory.NONE: "nothing: the other columns stay here",
                PayloadCategory.OWN_REPORT: "what you were told: the other columns of the file",
                PayloadCategory.SUBSCRIBER: "who an account belongs to",
                PayloadCategory.TRAFFIC: "who was in touch with whom, and when",
                PayloadCategory.CONTENT: "what was written or shown",
            }
        ),
    ),
    Question(
        "confidence_percent",
        "How sure are you that an entry belongs here? From 0 to 100.",
        form="percent",
    ),
    Question(
        "permitted_readers",
        "Who may ask whether you know an identifier?",
        MappingProxyType(
            {
                AgencyKind.POLICE: "police",
                AgencyKind.HOTLINE: "hotlines",
                AgencyKind.COMPANY: "companies",
                AgencyKind.BANK: "banks",
                AgencyKind.HELPLINE: "helplines",
                AgencyKind.NGO: "other civil-society organisations",
            }
        ),
        several=True,
    ),
    Question(
        "permitted_purposes",
        "For what may they ask?",
        MappingProxyType(
            {
                Purpose.IDENTIFY_VICTIM: "to find out who a victim is",
                Purpose.LOCATE_MISSING: "to find a missing person",
                Purpose.INVESTIGATE_TRAFFICKER: "to investigate traffickers",
                Purpose.DISRUPT_ADVERT: "to take down adverts",
                Purpose.FINANCIAL_TRAIL: "to follow money",
            }
        ),
        several=True,
    ),
    Question(
        "permitted_offences",
        "In cases of which offences?",
        MappingProxyType(
            {
                Offence.TRAFFICKING_MINOR: "trafficking in children",
                Offence.TRAFFICKING_ADULT: "trafficking in adults",
                Offence.CHILD_SEXUAL_EXPLOITATION: "sexual exploitation of children",
                Offence.FORCED_LABOUR: "forced labour",
                Offence.SMUGGLING: "smuggling of persons",
                Offence.MONEY_LAUNDERING: "money laundering",
            }
        ),
        several=True,
    ),
    Question(
        "permitted_jurisdictions",
        "From which countries may they ask? Two capital letters each, such as NL, DE.",
        form="countries",
    ),
    Question(
        "highest_tier",
        "How much may an answer tell at most?",
        MappingProxyType(
            {
                Tier.COUNT: "only how many of their identifiers are known to anybody",
                Tier.HITS: "which of their own identifiers are known, and not by whom",
                Tier.SOURCES: "also that it is you who knows them, so that they can call you",
                Tier.PAYLOAD: "also what you sealed with them, each time that you agree",
            }
        ),
    ),
    Question(
        "transfer_ground",
        "If an answer leaves your country, on what ground?",
        MappingProxyType(
            {
                "none_needed": "it does not leave the country",
                "within_union": "it stays in the European Union",
                "adequacy": "the other country's protection was found adequate",
                "safeguards": "safeguards were agreed with the other country",
                "derogation": "an exception of the law, for a single case",
            }
        ),
    ),
    Question("retain_until", "Until which day may this be used? Write YYYY-MM-DD.", form="day"),
    Question("notice_duty", "Must you tell the person concerned when their data was disclosed?", YES_OR_NO),
    Question(
        "releases_each_payload", "Do you want to be asked each time before a sealed record opens?", YES_OR_NO
    ),
)
"""All of `Conditions` but who contributes, which the home knows."""


def answered(question: Question, typed: str) -> Any:
    """The answer as the file of conditions holds it. Raises BadInput saying what can be answered."""
    words = typed.strip()
    if question.choices:
        chosen = [_choice(question, each) for each in (words.split(",") if question.several else [words])]
        if question.choices is YES_OR_NO:
            return chosen[0] == _YES
        return list(dict.fromkeys(chosen)) if question.several else chosen[0]
    return _FORMS[question.form](words)


def lines_of(question: Question) -> Iterator[str]:
    """A question as it is shown."""
    yield question.asks
    if question.choices is not YES_OR_NO:
        for number, words in enumerate(question.choices.values(), start=1):
            yield f"  {number}  {words}"


def hint(question: Question) -> str:
    """How a question is answered, in a few words."""
    if question.choices is YES_OR_NO:
        return "yes or no"
    if question.several:
        return f"one or more numbers from 1 to {len(question.choices)}, with commas"
    return f"a number from 1 to {len(question.choices)}" if question.choices else "your answer"


def ask_until_understood(
    question: Question, offered: str | None, ask: Ask, say: Callable[[str], None]
) -> Any:
    """Ask at the terminal, again while the answer cannot be taken."""
    say("\n" + "\n".join(lines_of(question)))
    while True:
        try:
            return answered(question, ask(hint(question).capitalize(), offered))
        except BadInput as error:
            say(error.detail)


def offered_for(question: Question, answer: object) -> str:
    """An answer of the file of conditions as a person would type it."""
    if isinstance(answer, bool):
        return _YES if answer else _NO
    each = answer if isinstance(answer, list) else [answer]
    places = list(question.choices)
    return ", ".join(str(places.index(one) + 1) if one in places else str(one) for one in each)


def _choice(question: Question, typed: str) -> str:
    word = typed.strip().casefold()
    values = list(question.choices)
    if word.isdecimal() and 1 <= int(word) <= len(values) and question.choices is not YES_OR_NO:
        return str(values[int(word) - 1])
    found = next(
        (value for value in values if word in (value, value[:1] * (question.choices is YES_OR_NO))), None
    )
    if found is None or not word:
        named = "" if question.choices is YES_OR_NO else f", or by option one of {', '.join(values)}"
        raise BadInput(f"{question.name}: answer with {hint(question)}{named}.")
    return str(found)


def _sentence(words: str) -> str:
    if not words:
        raise BadInput("Answer with a sentence: somebody must be able to check it.")
    return words


def _percent(words: str) -> int:
    number = words.removesuffix("%").strip()
    if not number.isdecimal() or int(number) > 100:
        raise BadInput("confidence_percent: answer with a whole number from 0 to 100.")
    return int(number)


def _countries(words: str) -> list[str]:
    found = [each.strip().upper() for each in words.split(",")]
    if not all(len(each) == 2 and each.isascii() and each.isalpha() for each in found):
        raise BadInput("permitted_jurisdictions: answer with two letters for each country, such as NL, DE.")
    return list(dict.fromkeys(found))


def _day(words: str) -> str:
    try:
        return datetime.date.fromisoformat(words).isoformat()
    except ValueError:
        raise BadInput("retain_until: write the day as YYYY-MM-DD, such as 2027-03-31.") from None


_FORMS: Mapping[str, Callable[[str], Any]] = MappingProxyType(
    {"text": _sentence, "percent": _percent, "countries": _countries, "day": _day}
)
