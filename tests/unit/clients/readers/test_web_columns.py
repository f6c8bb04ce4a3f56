"""Columns of account names, links and IP addresses, and the platform that a column or its neighbour says."""

from pathlib import Path

import pytest

from broker.protocol.errors import BadInput
from clients.identifiers import registered_types
from clients.readers import ColumnMapping, RefusedRow, Signal, read_csv
from clients.readers.mapping import _IDENTIFIERS, _plain, guess_type, settle, typed


def rows_of(folder: Path, content: str, mapping: ColumnMapping | None = None) -> list[Signal | RefusedRow]:
    path = folder / "table.csv"
    path.write_text(content, encoding="utf-8")
    return list(read_csv(path, mapping=mapping, default_region="DE"))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Username", "handle"),
        ("Benutzername", "handle"),
        ("Nom d'utilisateur", "handle"),
        ("Nombre de usuario", "handle"),
        ("Gebruikersnaam", "handle"),
        ("Kullanıcı adı", "handle"),
        ("Jina la mtumiaji", "handle"),
        ("اسم المستخدم", "handle"),
        ("Имя пользователя", "handle"),
        ("Никнейм", "handle"),
        ("Nume de utilizator", "handle"),
        ("Telegram", "handle:telegram"),
        ("IG-Name", "handle:instagram"),
        ("Facebook profile 2", "handle:facebook"),
        ("Snap", "handle:snapchat"),
        ("X handle", "handle:x"),
        ("Signal username", "handle:signal"),
        ("Website", "url"),
        ("Link 2", "url"),
        ("Lien", "url"),
        ("Bağlantı", "url"),
        ("الرابط", "url"),
        ("Ссылка", "url"),
        ("Legătură", "url"),
        ("IP-Adresse", "ip"),
        ("IPv4", "ip"),
        ("Dirección IP", "ip"),
        ("عنوان IP", "ip"),
        ("IP-адрес", "ip"),
        ("Nambari ya simu", "phone"),
        ("رقم الهاتف", "phone"),
        ("Номер телефона", "phone"),
        ("nickname", None),
        ("account", None),
        ("profile", None),
        ("x", None),
        ("ok", None),
        ("Signal", None),
        ("PayPal", None),
    ],
)
def test_a_name_means_what_people_mean_by_it(name: str, kind: str | None) -> None:
    assert guess_type(name) == kind


def test_each_word_is_written_as_it_is_looked_up_and_names_one_type() -> None:
    words = [word for words in _IDENTIFIERS.values() for word in words.split()]
    assert [word for word in words if _plain(word) != word] == []
    assert sorted(set(words)) == sorted(words)
    assert set(_IDENTIFIERS) <= set(registered_types())


def test_a_platforms_column_is_a_hint_beside_account_names_and_else_an_attribute() -> None:
    assert settle(["username", "platform"], None).platform == 1
    assert settle(["type", "value", "hint"], None).platform == 2
    columns = settle(["phone", "app"], None)
    assert (columns.platform, columns.attributes) == (None, ((1, "app"),))


def test_a_type_may_carry_its_hint_behind_a_colon() -> None:
    assert typed("handle:instagram") == ("handle", "instagram")
    assert typed("email") == ("email", None)
    with pytest.raises(BadInput, match="unknown type"):
        ColumnMapping(identifiers=(("konto", "account:instagram"),))


def test_account_names_get_their_platform_from_the_column_or_its_neighbour(tmp_path: Path) -> None:
    rows = rows_of(
        tmp_path,
        "Instagram,Benutzername,Plattform,Land,Website\n"
        "@A.lice,bob99,Telegram,GB,hxxps://example[.]org/ad/9?utm_source=x\n"
        ",t.me/Carol_99,,GB,\n"
        ",dave99,,GB,\n",
    )
    signals = [row for row in rows if isinstance(row, Signal)]
    assert [(signal.line, signal.canonical.text) for signal in signals] == [
        (2, "handle/1|instagram:a.lice"),
        (2, "handle/1|telegram:bob99"),
        (2, "url/1|https://example.org/ad/9"),
        (3, "handle/1|telegram:carol_99"),
    ]
    assert all(signal.attributes == () for signal in signals)
    assert [
        (row.line, "does not say its platform" in row.reason) for row in rows if isinstance(row, RefusedRow)
    ] == [(4, True)]


def test_a_column_of_types_may_name_a_platform(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "type,value\nTikTok,@alice99\nIP,203[.]0[.]113[.]7\n")
    texts = [row.canonical.text for row in rows if isinstance(row, Signal)]
    assert texts == ["handle/1|tiktok:alice99", "ip/1|203.0.113.7"]


def test_a_mapping_may_name_the_platform_or_region_of_a_column(tmp_path: Path) -> None:
    mapping = ColumnMapping(identifiers=(("Spalte A", "phone:GB"), ("B", "handle:insta")))
    rows = rows_of(tmp_path, "spalte a,b\n07700 900123,Alice\n", mapping)
    texts = [row.canonical.text for row in rows if isinstance(row, Signal)]
    assert texts == ["phone/1|+447700900123", "handle/1|instagram:alice"]
