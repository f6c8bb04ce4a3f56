"""Which column holds what: given by the user, or guessed from the columns' names.

Rule: any header will do (SIGNALS 5). A guess needs a name that people use for the thing; a column whose name
says nothing becomes an attribute. Names of columns are not repeated in errors: in a file without a header the
first line holds identifiers.

It looks at names only, never at values.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from broker.protocol.errors import BadInput
from clients.identifiers import registered_types
from clients.identifiers.person import TYPE as PERSON
from clients.identifiers.platforms import platform_called
from clients.readers.columns.column_names import first_called, plain_name
from clients.readers.columns.column_subjects import readings
from clients.readers.columns.person_columns import PersonColumns, PersonPlaces, guess_person, other_names
from clients.readers.signals import REFERENCE

_PHONE = """
    phone phones phonenumber phoneno phonenum contactnumber contactno
    tel telno telnr telephone telephonenumber telefon telefonnummer telefonnr
    telefono telefone mobile mobilenumber mobileno mobilephone mobil mobiltelefon handy handynummer handynr
    cell cellphone cellulare movil celular msisdn whatsapp viber gsm rufnummer numerodetelephone numerodetelefono
    telefoon telefoonnummer mobiel gsmnummer telefonnumarasi telefonnumarası ceptelefonu simu nambariyasimu
    nambayasimu هاتف رقمالهاتف جوال телефон номертелефона мобильный numardetelefon
"""
_EMAIL = (
    "email emails emailaddress mail mailaddress emailadresse mailadresse correo courriel eposta adresaemail"
)
_HANDLE = """
    handle accountname username usernames screenname benutzername nutzername accountnaam
    gebruikersnaam nomutilisateur nomdutilisateur usuario nombredeusuario kullanıcıadı kullaniciadi
    jinalamtumiaji اسمالمستخدم имяпользователя логин никнейм ник numeutilizator utilizator numedeutilizator
"""
_URL = """
    url urls uri link links weblink weblinks permalink website webadresse webadres websitelink webseite
    adurl adlink profileurl profilelink homepage lien siteweb adresseweb enlace sitioweb paginaweb bağlantı baglanti
    websitesi kiungo tovuti anwaniyatovuti رابط الرابط موقع ссылка сайт адрессайта legătură adresaweb
"""
_IP = """
    ip ips ipaddress ipaddr ipv ipadresse ipadres ipadresi adresseip direccionip anwaniyaip عنوانip عنوانالايبي
    ipадрес адресip айпи айпиадрес adresaip adresip sourceip srcip clientip remoteip loginip registrationip
"""
_BTC_ADDRESS = """
    btcaddress btc bitcoin bitcoinaddress btcwallet bitcoinwallet bitcoinadresse btcadresse adressebitcoin adressebtc
    direccionbitcoin direccionbtc bitcoinadres bitcoinadresi btcadresi anwaniyabitcoin عنوانبيتكوين биткоинадрес
    биткоин адресбиткоин адресбиткоина адресbtc adresabitcoin adresabtc
"""
_ETH_ADDRESS = """
    ethaddress eth ethereum ethereumaddress ethwallet ethereumwallet ethereumadresse ethadresse adresseethereum
    adresseeth direccionethereum direccioneth ethereumadres ethereumadresi ethadresi anwaniyaethereum عنوانايثيريوم
    эфириум адресэфириум адресeth adresaethereum adresaeth
"""
_TRON_ADDRESS = """
    tronaddress tron trx trxaddress tronwallet trxwallet tronadresse adressetron direcciontron tronadres tronadresi
    anwaniyatron عنوانترون адрестрон адресtrx adresatron
"""
_IBAN = """
    iban ibannumber ibanno ibannummer ibannr numeroiban codeiban codigoiban ibannumarası nambariyaiban ايبان
    رقمالايبان номерiban numariban codiban
"""
_IMEI = """
    imei imeinumber imeino imeinr imeinummer imeisv deviceimei numeroimei codigoimei imeinumarası nambariyaimei
    رقمimei номерimei имеи numarimei codimei
"""
_LICENCE_PLATE = """
    licenceplate licenseplate plate plateno platenumber numberplate licenceplatenumber licenseplatenumber regplate
    registrationplate vehicleregistration vrm carplate kennzeichen kfzkennzeichen autokennzeichen nummernschild plaque
    immatriculation plaquedimmatriculation numerodimmatriculation matricula placa placavehiculo kenteken
    kentekennummer nummerplaat plaka plakano plakanumarası aracplakası aracplakasi nambariyagari nambazagari رقماللوحة
    لوحةالسيارة госномер номерныизнак номеравтомобиля номермашины numarinmatriculare numardeinmatriculare
    placutadeinmatriculare
"""
_PASSPORT_MRZ = """
    passportmrz mrz mrzcode mrzline mrzlines mrzzone machinereadablezone maschinenlesbarezone zonemrz
    zonedelectureautomatique zonalecturamecanica zonadelecturamecanica machineleesbarezone makinedeokunabiliralan
    машиносчитываемаязона المنطقةالمقروءةاليا zonamrz
"""
_FILE_HASH = """
    filehash md5 md5hash md5sum hashmd5 sha1 sha1hash sha1sum hashsha1 sha256 sha256hash sha256sum hashsha256 dateihash
    hashfichier hashdufichier hasharchivo hashdelarchivo bestandshash dosyahashi dosyaözeti heshiyafaili بصمةالملف
    хешфаила хэшфаила hashfisier photomd5 videomd5 hashvideomd5
"""
_PDQ = "pdq pdqhash pdqdigest pdqsignature pdqhashwert hashpdq pdqozeti heshiyapdq хешpdq بصمةpdq"
_PHOTODNA = "photodna pdna photodnahash pdnahash photodnahashwert hashphotodna photodnaozeti хешphotodna"
_TYPE = "type identifiertype indicatortype kind signaltype"
_VALUE = "value identifier indicator raw signalstr"
_HINT = "region country countrycode hint land pays pais paese"
_QUALITY = """
    quality pdqquality hashquality hint qualitat qualite calidad kwaliteit kalite ubora جودة الجودة качество calitate
"""
_PLATFORM = """
    platform plattform plateforme plataforma piattaforma platforma mtandao المنصة منصة платформа соцсеть
    socialnetwork socialmedia netzwerk reseausocial redsocial app messenger dienst hint
"""
_REFERENCE = "reference localreference ref caseid caseref casereference casenumber caseno aktenzeichen"
_IDENTIFIERS = {
    "phone": _PHONE,
    "email": _EMAIL,
    "email_mailbox": "emailmailbox mailbox",
    "btc_address": _BTC_ADDRESS,
    "eth_address": _ETH_ADDRESS,
    "tron_address": _TRON_ADDRESS,
    "iban": _IBAN,
    "imei": _IMEI,
    "licence_plate": _LICENCE_PLATE,
    "passport_mrz": _PASSPORT_MRZ,
    "file_hash": _FILE_HASH,
    "pdq": _PDQ,
    "photodna": _PHOTODNA,
    "handle": _HANDLE,
    "url": _URL,
    "ip": _IP,
}
# "Telegram", "Instagram-Name", "TikTok handle"; what else means a thing of its own needs a word behind it.
_ACCOUNT = re.compile(
    r"(?:account|handle|username|user|name|nick|profile?|profil|konto|link|url|nutzername|id)\Z"
)
_MEANS_MORE = frozenset(
    {"x", "ok", "of", "sc", "signal", "threads", "messenger", "facebookmessenger", "paypal"}
)


_EVERYDAY = frozenset({"line", "wire", "snap"})


@dataclass(frozen=True)
class ColumnMapping:
    """The columns of a table, by name; letter case, spaces and punctuation in names do not count.

    `identifiers` are (column, identifier type); a type may carry what its values do not say, behind a colon:
    "handle:instagram", "phone:GB", "imei:network". A row may also give its type and value in two columns. `hint`
    holds the region of national phone numbers and the country of plates, `platform` the platform of account names,
    `quality` the quality of PDQ hashes, `reference` the contributor's own reference, and `ignored` columns go
    nowhere. `person` are the columns that name a person together. All others become attributes, sealed with every
    identifier of their row. Raises BadInput for an unknown type.
    """

    identifiers: tuple[tuple[str, str], ...] = ()
    type_column: str | None = None
    value_column: str | None = None
    hint_column: str | None = None
    reference_column: str | None = None
    ignored: tuple[str, ...] = ()
    platform_column: str | None = None
    quality_column: str | None = None
    person: PersonColumns | None = None

    def __post_init__(self) -> None:
        if any(typed(kind)[0] not in registered_types() for _, kind in self.identifiers):
            raise BadInput(f"The mapping has an unknown type. Known are {', '.join(registered_types())}.")
        if (self.type_column is None) != (self.value_column is None):
            raise BadInput("A column of types needs a column of values, and the other way round.")

    @property
    def has_identifiers(self) -> bool:
        """Whether any column holds an identifier, or a part of one."""
        return bool(self.identifiers or self.type_column or self.person)


@dataclass(frozen=True)
class Columns:
    """A mapping settled on the columns of one table, by position from 0."""

    identifiers: tuple[tuple[int, str], ...]
    type_and_value: tuple[int, int] | None
    hint: int | None
    attributes: tuple[tuple[int, str], ...]
    platform: int | None = None
    quality: int | None = None
    person: PersonPlaces | None = None


def settle(names: Sequence[str], mapping: ColumnMapping | None, *, strict: bool = True) -> Columns:
    """Settle the columns of a table.

    Args:
        names: the columns' names in order.
        mapping: the user's; None to guess.
        strict: whether a column that the mapping names must be there (a table) or may lack (a JSON line).

    Raises: BadInput if no column holds an identifier or the mapping does not fit the table.
    """
    chosen = guess_mapping(names) if mapping is None else mapping
    positions: dict[str, list[int]] = {}
    for position, own in enumerate(names):
        positions.setdefault(plain_name(own), []).append(position)

    def find_all(name: str) -> list[int]:
        found = positions.get(plain_name(name), [])
        if not found and strict:
            raise BadInput(
                "The mapping names a column that the table does not have. Compare it with the first line."
            )
        return found

    def find(name: str | None) -> int | None:
        return None if name is None else next(iter(find_all(name)), None)

    # All columns of the name: a second "phone" must not slip through as an attribute.
    found = ((position, kind) for name, kind in chosen.identifiers for position in find_all(name))
    identifiers = tuple(dict.fromkeys(found))
    kind_at, value_at, hint = find(chosen.type_column), find(chosen.value_column), find(chosen.hint_column)
    pair = None if kind_at is None or value_at is None else (kind_at, value_at)
    person = None if chosen.person is None else _person_places(chosen.person, find_all)
    if not identifiers and pair is None and person is None:
        raise BadInput(
            "No column with identifiers was recognised. Name the columns in the first line (such as phone, "
            "email, or type and value), or give a mapping. If the names stand further down, say in which line: "
            "--header-row 3"
        )
    reference = find(chosen.reference_column)
    ignored = (position for name in chosen.ignored for position in find_all(name))
    platform, quality = find(chosen.platform_column), find(chosen.quality_column)
    taken = {hint, platform, quality, *(position for position, _ in identifiers), *(pair or ()), *ignored}
    if person is not None:
        taken |= {*person.names, person.birth_date}
    return Columns(
        identifiers, pair, hint, _attribute_names(names, taken, reference), platform, quality, person
    )


def guess_mapping(names: Sequence[str], *, persons: bool = False) -> ColumnMapping:
    """The mapping that the columns' names suggest; it may hold no identifier column.

    Args: `persons` whether columns that name a person together are looked for: only where persons are compared.
    """
    person = guess_person(names) if persons else None
    identifiers = tuple((name, kind) for name in names if (kind := guess_column(name)) is not None)
    type_column, value_column = first_called(names, _TYPE), first_called(names, _VALUE)
    if type_column is None or value_column is None:
        type_column = value_column = None  # one without the other is an ordinary column
    # Only where they say something: beside phone numbers alone, "App" and "quality" are attributes.
    has_platform = type_column is not None or any(kind == "handle" for _, kind in identifiers)
    has_quality = type_column is not None or any(kind == "pdq" for _, kind in identifiers)
    return ColumnMapping(
        identifiers=identifiers,
        type_column=type_column,
        value_column=value_column,
        hint_column=first_called(names, _HINT),
        reference_column=first_called(names, _REFERENCE),
        platform_column=first_called(names, _PLATFORM) if has_platform else None,
        quality_column=first_called(names, _QUALITY) if has_quality else None,
        person=person,
        ignored=() if person is None else other_names(names, person),
    )


def guess_column(name: str) -> str | None:
    """The identifier type that a column's name says it holds, seen through words of whose it is: "victim_phone_1"."""
    _, *others = readings(name)
    found = (kind for each in others if (kind := _of_word(each.word, bare=False)) is not None)
    return guess_type(name) or next(found, None)


def guess_type(name: str) -> str | None:
    """The identifier type that a word names: "E-Mail", "phone 2", "Telefon", "Instagram"; None if it names none."""
    if name in registered_types():
        return name
    return _of_word(plain_name(name))


def typed(kind: str) -> tuple[str, str | None]:
    """A column's type and the hint it carries: "handle:instagram" is handle and instagram, "email" has none."""
    type_name, _, hint = kind.partition(":")
    return type_name, hint or None


def _of_word(whole: str, *, bare: bool = True) -> str | None:
    """The type of a plain word; not `bare`, it had another before or behind it, and "line" is no platform."""
    word = re.sub(r"[0-9]+\Z", "", whole)  # "phone 2" is a phone, but "sha256" one word
    known = _TYPE_OF.get(whole) or _TYPE_OF.get(word)
    return known or (_platform_type(word) if bare or word not in _EVERYDAY else None)


def _platform_type(word: str) -> str | None:
    """ "handle:instagram" for a column of that platform's account names."""
    bare = _ACCOUNT.sub("", word)
    platform = None if bare == word and word in _MEANS_MORE else platform_called(bare)
    return None if platform is None else f"handle:{platform.slug}"


_TYPE_OF = {plain_name(word): kind for kind, words in _IDENTIFIERS.items() for word in words.split()}


def _person_places(person: PersonColumns, find_all: Callable[[str], list[int]]) -> PersonPlaces | None:
    """None where a line that may lack columns has no birth date or no names."""
    names = tuple(dict.fromkeys(position for name in person.names for position in find_all(name)))
    born = find_all(person.birth_date)
    if len(born) > 1:
        raise BadInput(
            "Two columns are said to hold the birth date. Give it to one, and make the other ignore."
        )
    kind = PERSON if person.date_order is None else f"{PERSON}:{person.date_order}"
    return PersonPlaces(names, born[0], kind) if names and born else None


def _attribute_names(
    names: Sequence[str], taken: set[int | None], reference: int | None
) -> tuple[tuple[int, str], ...]:
    """Each remaining column with a name of its own; empty and repeated names get their position."""
    attributes: list[tuple[int, str]] = []
    used = {REFERENCE}
    for position, name in enumerate(names):
        if position == reference:
            attributes.append((position, REFERENCE))
        elif position not in taken:
            own = name.strip() or f"column {position + 1}"
            while own in used:
                own = f"{own} ({position + 1})"
            used.add(own)
            attributes.append((position, own))
    return tuple(attributes)
