"""A contributor's key series at rest: manifest, keys, holders' acceptances, and what became of it.

Rule: k lies sealed until the series is closed, withdrawn or expired, and is then erased (DESIGN 2.2); dealt shares only
while the series opens. The manifest is signed once and its exact bytes name the series.

It deals nothing and calls nobody: see `clients.depositing.dealing` and `clients.contributor`.

    series/SERIES/{manifest.jws,keys,shares,series.json,acceptance-HOLDER.jws,withdrawal.jws,closing.jws,...}
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal

from broker.protocol import documents
from broker.protocol.documents import Signed
from broker.protocol.errors import NotFound
from broker.protocol.messages.base import Message, Seconds
from broker.protocol.messages.parties import Space
from broker.protocol.messages.series import SeriesManifest, ShareDelivery
from clients.home import Home
from clients.masking import MaskingKeys

_SCALAR_BYTES = 32


class SeriesState(StrEnum):
    """What became of a series."""

    OPENING = "opening"
    OPEN = "open"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class _Status(Message):
    v: Literal[1] = 1
    state: SeriesState
    drawn_at: Seconds
    changed_at: Seconds


class SeriesFolder:
    """The files of one series. Raises NotFound on construction if there is none of that id."""

    def __init__(self, home: Home, series_id: bytes) -> None:
        self._home = home
        self._vault = home.vault
        self._folder = f"series/{series_id.hex()}"
        if not self._vault.exists(f"{self._folder}/series.json"):
            raise NotFound("This home has no series of that name. See: narrowgate deposit list")
        text = self._vault.read_text(f"{self._folder}/manifest.jws")
        self.manifest: Signed[SeriesManifest] = documents.verify(
            SeriesManifest, text, home.identity.signing_key
        )
        self.series_id = series_id

    @classmethod
    def create(
        cls, home: Home, manifest: Signed[SeriesManifest], keys: MaskingKeys, shares: bytes, now: int
    ) -> "SeriesFolder":
        """Keep a new series before anything of it is sent. `shares` are all holders' 64 bytes in roster order."""
        folder = f"series/{manifest.payload_digest.hex()}"
        home.vault.write_secret(f"{folder}/keys", keys.k_match + keys.k_open)
        home.vault.write_secret(f"{folder}/shares", shares)
        home.vault.write_text(f"{folder}/manifest.jws", manifest.document)
        # Last: a series is there once this file is.
        status = _Status(state=SeriesState.OPENING, drawn_at=now, changed_at=now)
        home.vault.write_message(f"{folder}/series.json", status)
        return cls(home, manifest.payload_digest)

    @property
    def state(self) -> SeriesState:
        """What became of the series, as far as this home knows."""
        return self._status.state

    @property
    def space(self) -> Space:
        """The series' space, by the newest roster pinned here. Raises NotFound."""
        return self._home.space(self.manifest.payload.space_id).payload

    @property
    def quarter(self) -> str:
        """The retention quarter it was drawn in, see `quarter_of`: it takes deposits in no other."""
        return quarter_of(self._status.drawn_at)

    def move_to(self, state: SeriesState, now: int) -> None:
        """Note durably what became of the series."""
        status = self._status.model_copy(update={"state": state, "changed_at": now})
        self._vault.write_message(f"{self._folder}/series.json", status)

    @property
    def _status(self) -> _Status:
        return self._vault.read_message(_Status, f"{self._folder}/series.json")

    def keys(self) -> MaskingKeys:
        """The series' scalars. Raises NotFound once they are erased."""
        data = self._vault.read_secret(f"{self._folder}/keys")
        return MaskingKeys(data[:_SCALAR_BYTES], data[_SCALAR_BYTES:])

    def share_pair(self, x: int) -> bytes:
        """The shares of k_match and k_open for abscissa x: 64 bytes. Raises NotFound once the series is open."""
        size = 2 * _SCALAR_BYTES
        return self._vault.read_secret(f"{self._folder}/shares")[size * (x - 1) : size * x]

    def keep_delivery(self, holder_id: str, delivery: ShareDelivery) -> None:
        """Keep what goes to a holder on a stick, wrapped to it, until it answered."""
        self._vault.write_message(f"{self._folder}/delivery-{holder_id}.json", delivery)

    def delivery(self, holder_id: str) -> ShareDelivery | None:
        """What `keep_delivery` kept, or None."""
        name = f"{self._folder}/delivery-{holder_id}.json"
        return self._vault.read_message(ShareDelivery, name) if self._vault.exists(name) else None

    def prekeys_on_their_way(self, holder_id: str) -> frozenset[bytes]:
        """The one-time keys of a holder that deliveries of any series of this home use up."""
        names = [
            f"series/{series}/delivery-{holder_id}.json"
            for series in self._vault.names("series")
            if self._vault.exists(f"series/{series}/delivery-{holder_id}.json")
        ]
        return frozenset(self._vault.read_message(ShareDelivery, name).prekey_id for name in names)

    def forget_delivery(self, holder_id: str) -> None:
        """The holder answered."""
        self._vault.remove(f"{self._folder}/delivery-{holder_id}.json")

    def erase_shares(self) -> None:
        """The shares are with their holders: erase them here."""
        self._vault.erase(f"{self._folder}/shares")

    def erase_keys(self) -> None:
        """Erase k, and the shares if any are left."""
        self.erase_shares()
        self._vault.erase(f"{self._folder}/keys")

    def keep(self, name: str, document: str) -> str:
        """Keep a signed document of the series, unless one of that name is kept already. Returns the kept one."""
        path = f"{self._folder}/{name}.jws"
        if not self._vault.exists(path):
            self._vault.write_text(path, document)
        return self._vault.read_text(path)

    def kept(self, name: str) -> str | None:
        """A document that `keep` kept, or None."""
        path = f"{self._folder}/{name}.jws"
        return self._vault.read_text(path) if self._vault.exists(path) else None

    def documents(self, kind: str) -> Mapping[str, str]:
        """The kept documents of one kind, such as `acceptance`, by holder_id."""
        prefix, suffix = f"{kind}-", ".jws"
        names = [name for name in self._vault.names(self._folder) if name.startswith(prefix)]
        return {
            name[len(prefix) : -len(suffix)]: self._vault.read_text(f"{self._folder}/{name}")
            for name in names
        }


def quarter_of(now: int) -> str:
    """The quarter of the year in UTC that a time falls in, such as 2026-Q3 (decision 0013)."""
    day = datetime.fromtimestamp(now, UTC)
    return f"{day.year:04d}-Q{(day.month + 2) // 3}"


def all_series(home: Home) -> Iterator[SeriesFolder]:
    """Every series of a home, by id."""
    for name in home.vault.names("series"):
        if home.vault.exists(f"series/{name}/series.json"):
            yield SeriesFolder(home, bytes.fromhex(name))


def under_older_salt(home: Home) -> tuple[SeriesFolder, ...]:
    """The series that serve nobody's requests any more, since the newest pinned roster of their space names another
    salt; those withdrawn or expired are left out."""
    return tuple(
        series
        for series in all_series(home)
        if series.state not in (SeriesState.WITHDRAWN, SeriesState.EXPIRED)
        and series.manifest.payload.salt_id != series.space.salt_id
    )
