"""Columns by name: guessed from what people write, or given."""

import pytest

from broker.protocol.errors import BadInput
from clients.identifiers import registered_types
from clients.readers.columns.column_names import plain_name
from clients.readers.columns.mapping import (
    _IDENTIFIERS,
    ColumnMapping,
    guess_mapping,
    guess_type,
    settle,
    typed,
)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Phone", "phone"),
        ("phone_2", "phone"),
        ("Phone No.", "phone"),
        ("Mobile Number", "phone"),
        ("TÉLÉPHONE", "phone"),
        ("Telefon-Nr.", "phone"),
        ("E-Mail", "email"),
        ("e mail address", "email"),
        ("mail", "email"),
        ("email_mailbox", "email_mailbox"),
        ("BTC address", "btc_address"),
        ("Адрес биткоина", "btc_address"),
        ("Ethereum-Adresse", "eth_address"),
        ("TRX address 2", "tron_address"),
        ("Numéro IBAN", "iban"),
        ("رقم الآيبان", "iban"),
        ("IMEI 1", "imei"),
        ("Kfz-Kennzeichen", "licence_plate"),
        ("Plaque d'immatriculation", "licence_plate"),
        ("Matrícula", "licence_plate"),
        ("Kenteken", "licence_plate"),
        ("Araç plakası", "licence_plate"),
        ("Nambari ya gari", "licence_plate"),
        ("Номерный знак", "licence_plate"),
        ("Număr de înmatriculare", "licence_plate"),
        ("Machine-readable zone", "passport_mrz"),
        ("MD5", "file_hash"),
        ("SHA-256", "file_hash"),
        ("sha1 2", None),
        ("PDQ hash", "pdq"),
        ("PhotoDNA", "photodna"),
        ("hash", None),
        ("Benutzername", "handle"),
        ("Nom d'utilisateur", "handle"),
        ("Kullanıcı adı", "handle"),
        ("Имя пользователя", "handle"),
        ("اسم المستخدم", "handle"),
        ("Telegram", "handle:telegram"),
        ("IG-Name", "handle:instagram"),
        ("Facebook profile 2", "handle:facebook"),
        ("X handle", "handle:x"),
        ("Website", "url"),
        ("Lien", "url"),
        ("Ссылка", "url"),
        ("IP-Adresse", "ip"),
        ("IPv4", "ip"),
        ("айпи адрес", "ip"),
        ("Nambari ya simu", "phone"),
        ("رقم الهاتف", "phone"),
        ("name", None),
        ("nickname", None),
        ("x", None),
        ("ok", None),
        ("Signal", None),
        ("account", None),
        ("", None),
        ("12", None),
    ],
)
def test_a_name_means_what_people_mean_by_it(name: str, kind: str | None) -> None:
    assert guess_type(name) == kind


def test_no_word_names_two_types() -> None:
    words = [plain_name(word) for each in _IDENTIFIERS.values() for word in each.split()]
    assert len(words) == len(set(words))
    assert set(_IDENTIFIERS) <= set(registered_types())


def test_quality_is_the_hint_of_picture_hashes_and_else_an_attribute() -> None:
    assert settle(["pdq", "phone", "country", "Qualität"], None).quality == 3
    assert settle(["type", "value", "hint"], None).quality == 2
    columns = settle(["phone", "quality"], None)
    assert (columns.quality, columns.attributes) == (None, ((1, "quality"),))


def test_a_platforms_column_is_a_hint_beside_account_names_and_else_an_attribute() -> None:
    assert settle(["username", "platform"], None).platform == 1
    assert settle(["type", "value", "hint"], None).platform == 2
    columns = settle(["phone", "app"], None)
    assert (columns.platform, columns.attributes) == (None, ((1, "app"),))


def test_a_type_may_carry_its_hint_behind_a_colon() -> None:
    assert typed("handle:instagram") == ("handle", "instagram")
    assert typed("email") == ("email", None)
    columns = settle(["konto"], ColumnMapping(identifiers=(("Konto", "handle:instagram"),)))
    assert columns.identifiers == ((0, "handle:instagram"),)


def test_a_type_column_without_a_value_column_is_an_ordinary_one() -> None:
    assert guess_mapping(["phone", "type"]).type_column is None
    columns = settle(["phone", "type"], None)
    assert columns.attributes == ((1, "type"),)


def test_empty_and_repeated_names_become_attributes_of_different_names() -> None:
    columns = settle(["phone", "a", "", "a", "a (4)", "Ref", "reference 2"], None)
    names = [name for _, name in columns.attributes]
    assert names == ["a", "column 3", "a (4)", "a (4) (5)", "reference", "reference 2"]


@pytest.mark.parametrize(
    "mapping",
    [
        ColumnMapping(identifiers=(("fax", "phone"),)),
        ColumnMapping(identifiers=(("phone", "phone"),), hint_column="land"),
        ColumnMapping(identifiers=(("phone", "phone"),), ignored=("land",)),
    ],
)
def test_a_mapping_that_does_not_fit_the_table_is_refused(mapping: ColumnMapping) -> None:
    with pytest.raises(BadInput, match="does not have"):
        settle(["phone"], mapping)


def test_a_mapping_that_cannot_fit_any_table_is_refused_when_it_is_made() -> None:
    with pytest.raises(BadInput, match="unknown type"):
        ColumnMapping(identifiers=(("phone", "shoe_size"),))
    with pytest.raises(BadInput, match="column of values"):
        ColumnMapping(type_column="type")
