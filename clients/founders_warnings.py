"""What a founder, or whoever joins, is told of an identifier type that a space has to want.

Rule: a module of its own, by the type's name, so that founding and joining load no canonical forms.
"""

from collections.abc import Mapping
from types import MappingProxyType

FOUNDERS_WARNINGS: Mapping[str, str] = MappingProxyType(
    {
        "person": """\
This space compares persons by name and birth date. Know before you go on:
  - It is guessable. There are few names and birth dates: whoever can test guesses (t key holders together, or a
    contributor that kept a series' key and the broker) finds most persons in a list of theirs.
  - It finds some and not all. One spelling is compared exactly; a requester that asks about more spellings finds more,
    and each of them counts toward its limits.
  - It finds strangers. Two people can have one name and birth date, and more spellings find more of them: a match is a
    reason to look and never a finding.
Compare passports, telephone numbers or accounts where you have them. docs/threat-model.md says what the type leaks."""
    }
)
"""By identifier type."""
