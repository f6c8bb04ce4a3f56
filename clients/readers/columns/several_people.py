"""A table whose columns are about several people: a victim's number beside a suspect's.

Rule: a row of it goes in under one set of conditions, and what is no identifier is sealed with every identifier of the
row. So nobody's guess takes such a table: somebody leaves columns out until those that are left are about one, or saves
the mapping, which is a person's word for it.

It knows names of columns only (`clients.readers.columns.column_subjects`), and no rows.
"""

from collections.abc import Mapping, Sequence

from broker.protocol.errors import BadInput
from clients.identifiers import registered_types
from clients.readers.columns.column_subjects import OTHERS, subject_of
from clients.readers.columns.mapping import ColumnMapping, typed
from clients.readers.columns.person_columns import BIRTH_DATE, NAME, is_birth_date, is_name
from clients.readers.columns.roles import ATTRIBUTE, roles_of

_NOT_SAID = ""


def check_one_subject(names: Sequence[str], mapping: ColumnMapping) -> None:
    """Raises BadInput, with the columns, where those that a guess would read are about several people."""
    found = several_people(names, roles_of(names, mapping))
    if found:
        raise BadInput(
            f"{in_words(found)} Leave columns out until the rest is about one of them, such as --column "
            f'"{list(found.values())[-1][0]}=ignore", and read the file once for each. If they belong together, '
            "save what they hold, which says so: narrowgate deposit map ... --save NAME"
        )


def several_people(names: Sequence[str], roles: Sequence[str]) -> Mapping[str, tuple[int, ...]]:
    """Whom the columns are about, with the columns' numbers from 1; empty if that is one person or nobody says."""
    found: dict[str, tuple[int, ...]] = {}
    for position, (name, role) in enumerate(zip(names, roles, strict=True), start=1):
        subject = subject_of(name)
        identifying = typed(role)[0] in (*registered_types(), NAME, BIRTH_DATE)
        named = (
            role == ATTRIBUTE
            and subject not in (_NOT_SAID, *OTHERS)
            and (is_name(name) or is_birth_date(name))
        )
        if identifying or named:
            found[subject] = (*found.get(subject, ()), position)
    said = found.keys() - {_NOT_SAID}
    beside = _NOT_SAID in found and said & OTHERS
    if len(said) < 2 and not beside:
        return {}
    return {subject: at for subject, at in found.items() if subject in said or beside}


def in_words(found: Mapping[str, tuple[int, ...]]) -> str:
    """Whom the columns are about."""
    listed = [
        f"{subject or 'somebody it does not say'} (column {', '.join(map(str, at))})"
        for subject, at in found.items()
    ]
    return (
        f"The columns are about several people: {' and '.join(listed)}. All of a row would go in under the same "
        "conditions, and the attributes of one be sealed with the other's identifiers."
    )
