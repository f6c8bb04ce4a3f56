"""What each column of a table holds, in one word a column, as a person sees, corrects and saves it.

Rule: a word is the name of an identifier type, perhaps with what its values do not say ("handle:instagram"); or `type`
and `value` (two columns that give both); `region`, `platform` and `quality` (what the row says of its phone numbers and
plates, account names and PDQ hashes; `hint` for all three); `person-name` and `birth-date` (which name a person
together; "birth-date:day-first" for dates such as 03/04/2050); `reference`; `attribute` (sealed with every identifier
of its row) or `ignore` (goes nowhere). Columns are known by name, so two of one name hold the same.

It reads no row and writes no file.
"""

from collections.abc import Sequence

from broker.protocol.errors import BadInput
from clients.identifiers import registered_types
from clients.readers.columns.column_names import same_column
from clients.readers.columns.mapping import ColumnMapping, guess_mapping, guess_type, settle, typed
from clients.readers.columns.person_columns import BIRTH_DATE, NAME, PersonColumns
from clients.readers.signals import REFERENCE

TYPE, VALUE, ATTRIBUTE, IGNORE = "type", "value", "attribute", "ignore"
REGION, PLATFORM, QUALITY, HINT = "region", "platform", "quality", "hint"
_OTHER_ROLES = (TYPE, VALUE, REGION, PLATFORM, QUALITY, HINT, NAME, BIRTH_DATE, REFERENCE, ATTRIBUTE, IGNORE)


def roles_of(names: Sequence[str], mapping: ColumnMapping | None) -> tuple[str, ...]:
    """What each column holds by a mapping; by its name if None. All may be attributes. Raises BadInput as `settle`."""
    chosen = guess_mapping(names) if mapping is None else mapping
    if not chosen.has_identifiers:
        return tuple(REFERENCE if name == chosen.reference_column else ATTRIBUTE for name in names)
    columns = settle(names, chosen)
    roles = [IGNORE] * len(names)
    for position, name in columns.attributes:
        roles[position] = REFERENCE if name == REFERENCE else ATTRIBUTE
    for role, at in ((REGION, columns.hint), (PLATFORM, columns.platform), (QUALITY, columns.quality)):
        if at is not None:
            roles[at] = role if roles[at] == IGNORE else HINT
    if columns.type_and_value is not None:
        roles[columns.type_and_value[0]], roles[columns.type_and_value[1]] = TYPE, VALUE
    if columns.person is not None:
        for position in columns.person.names:
            roles[position] = NAME
        order = typed(columns.person.kind)[1]
        roles[columns.person.birth_date] = BIRTH_DATE if order is None else f"{BIRTH_DATE}:{order}"
    for position, kind in columns.identifiers:
        roles[position] = kind
    return tuple(roles)


def mapping_of(names: Sequence[str], roles: Sequence[str]) -> ColumnMapping:
    """The mapping that these roles are. Raises BadInput if a word is unknown or no mapping says the same."""
    held: dict[str, list[str]] = {}
    for name, role in zip(names, roles, strict=True):
        if not _is_known(role):
            raise BadInput(
                f"A column is said to hold something unknown. Known are {', '.join(registered_types())}, and "
                f"{', '.join(_OTHER_ROLES)}."
            )
        held.setdefault(BIRTH_DATE if _is_birth_date(role) else role, []).append(name)

    def only(role: str) -> str | None:
        found = held.get(role, [])
        if len(found) > 1:
            raise BadInput(
                f"Two columns are said to hold the {role}. Give it to one, and make the other ignore."
            )
        return found[0] if found else None

    mapping = ColumnMapping(
        identifiers=tuple((name, role) for name, role in zip(names, roles, strict=True) if _is_type(role)),
        type_column=only(TYPE),
        value_column=only(VALUE),
        hint_column=only(REGION) or only(HINT),
        platform_column=only(PLATFORM) or only(HINT),
        quality_column=only(QUALITY) or only(HINT),
        reference_column=only(REFERENCE),
        ignored=tuple(held.get(IGNORE, [])),
        person=_person(tuple(held.get(NAME, [])), only(BIRTH_DATE), roles),
    )
    if roles_of(names, mapping) != tuple(roles):
        raise BadInput(
            "Two columns of one name are to hold different things. Rename one of them in the first line of the file."
        )
    return mapping


def corrected(names: Sequence[str], roles: Sequence[str], corrections: Sequence[str]) -> tuple[str, ...]:
    """The roles with a person's corrections, each as "Handy=phone", or "3=phone" by the column's number from 1.

    Raises BadInput if there is no such column or nothing that a column can hold.
    """
    changed = list(roles)
    for correction in corrections:
        name, equals, word = correction.rpartition("=")
        role = word.strip().lower()
        if not _is_known(role):
            role = guess_type(word.strip()) or role
        if not equals or not name.strip() or not _is_known(role):
            raise BadInput(
                '--column is the name of a column, = and what it holds, such as --column "Handy=phone". It can hold '
                f"{', '.join(registered_types())}; or be the {TYPE}, {VALUE}, {REGION}, {PLATFORM}, {QUALITY} or "
                f"{REFERENCE} of its row; or {NAME} and {BIRTH_DATE}, which name a person together; or "
                f"{ATTRIBUTE}, or {IGNORE}."
            )
        found = [at for at, own in enumerate(names) if same_column(own, name)]
        if not found and name.strip().isdecimal() and 1 <= int(name) <= len(names):
            found = [int(name) - 1]
        if not found:
            raise BadInput(
                "--column names a column that the file does not have. Compare it with the first line."
            )
        for at in found:
            changed[at] = role
    return tuple(changed)


def _person(names: tuple[str, ...], birth_date: str | None, roles: Sequence[str]) -> PersonColumns | None:
    if birth_date is None:
        if names:
            raise BadInput(
                f"A column is said to hold names of a person ({NAME}) and none the birth date that goes with them. Say "
                f"which does, such as DOB={BIRTH_DATE}, or make the names an attribute."
            )
        return None
    order = next(typed(role)[1] for role in roles if _is_birth_date(role))
    return PersonColumns(tuple(dict.fromkeys(names)), birth_date, order)


def _is_known(role: str) -> bool:
    return role in _OTHER_ROLES or _is_type(role) or _is_birth_date(role)


def _is_birth_date(role: str) -> bool:
    return typed(role)[0] == BIRTH_DATE


def _is_type(role: str) -> bool:
    return typed(role)[0] in registered_types()
