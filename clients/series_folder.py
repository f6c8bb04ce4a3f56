"""A contributor's key series at rest: manifest, keys, holders' acceptances, and what became of it.

Rule: k lies sealed until the series is closed or withdrawn and is then erased (DESIGN 2.2); dealt shares only
while the series opens. The manifest is signed once and its exact bytes name the series.

It deals nothing and calls nobody: see `clients.dealing` and `clients.contributor`.

    series/SERIES/{manifest.jws,keys,shares,series.json,acceptance-HOLDER.jws,withdrawal.jws,closing.jws,...}
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Literal

from broker.protocol import documents
from broker.protocol.documents import Signed
from broker.protocol.errors import NotFound
from broker.protocol.messages.base import Message, Seconds
from broker.protocol.messages.series import SeriesManifest
from clients.home import Home
from clients.masking import MaskingKeys

_SCALAR_BYTES = 32


class SeriesState(StrEnum):
    """What became of a series."""

    OPENING = "opening"
    OPEN = "open"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"


class _Status(Message):
    v: Literal[1] = 1
    state: SeriesState
    changed_at: Seconds


class SeriesFolder:
    """The files of one series. Raises NotFound on construction if there is none of that id."""

    def __init__(self, home: Home, series_id: bytes) -> None:
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
        home.vault.write_message(f"{folder}/series.json", _Status(state=SeriesState.OPENING, changed_at=now))
        return cls(home, manifest.payload_digest)

    @property
    def state(self) -> SeriesState:
        """What became of the series, as far as this home knows."""
        return self._vault.read_message(_Status, f"{self._folder}/series.json").state

    def move_to(self, state: SeriesState, now: int) -> None:
        """Note durably what became of the series."""
        self._vault.write_message(f"{self._folder}/series.json", _Status(state=state, changed_at=now))

    def keys(self) -> MaskingKeys:
        """The series' scalars. Raises NotFound once they are erased."""
        data = self._vault.read_secret(f"{self._folder}/keys")
        return MaskingKeys(data[:_SCALAR_BYTES], data[_SCALAR_BYTES:])

    def share_pair(self, x: int) -> bytes:
        """The shares of k_match and k_open for abscissa x: 64 bytes. Raises NotFound once the series is open."""
        size = 2 * _SCALAR_BYTES
        return self._vault.read_secret(f"{self._folder}/shares")[size * (x - 1) : size * x]

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


def all_series(home: Home) -> Iterator[SeriesFolder]:
    """Every series of a home, by id."""
    for name in home.vault.names("series"):
        if home.vault.exists(f"series/{name}/series.json"):
            yield SeriesFolder(home, bytes.fromhex(name))
