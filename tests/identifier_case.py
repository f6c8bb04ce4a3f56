"""What the tests of identifier types share: a form or a refusal, as two values instead of one and an exception."""

from clients.identifiers import Canonical, Rejected, canonicalise

MARK = "zq7"
"""At the end of a made-up value: a text that occurs in no sentence, so that a refusal which repeats it is found."""


def form_or_reason(type_name: str, raw: str, hint: str | None = None) -> tuple[Canonical | None, str]:
    """The form and "", or None and the reason of the refusal."""
    try:
        return canonicalise(type_name, raw, hint), ""
    except Rejected as refusal:
        return None, refusal.detail
