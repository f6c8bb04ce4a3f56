"""A case from hits to opened records, and the files of its case folder: what most tests of case folders start from.

Rule: the folder is exported once and its files are kept in memory; a test changes a copy. `resigned` is what a
dishonest requester does: it lists changed files in a manifest that it signs itself, with an index that fits them.
"""

import contextlib
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from broker.protocol import documents
from broker.protocol.errors import BadInput
from broker.protocol.messages.vocabulary import PayloadCategory, Tier
from clients.case_file import index
from clients.case_file.exporting import export
from clients.case_file.folder import read_folder
from clients.case_file.layout import INDEX, MANIFEST, from_files
from clients.case_file.papers import CaseManifest, ListedFile
from tests.world import POLICE, World, phone

PAYLOAD: dict[str, Any] = {"highest_tier": Tier.PAYLOAD, "payload_category": PayloadCategory.SUBSCRIBER}
ASKED = (3, 7, 8, 13, 99)
SELECTED = (7, 8)
OPENED = (7, 8)


def plaintext(contributor: str, number: int) -> bytes:
    """What a contributor recorded of a number: no two records are alike."""
    return f'{{"signals":["{contributor} {number}"],"v":1}}'.encode()


class CaseStory:
    """Two contributors, five numbers asked, two gone on with, four records opened; its folder in `files`."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder)
        for name, numbers in (("company-1", range(10)), ("company-2", range(5, 15))):
            contributor = self.world.contributor(name)
            conditions = self.world.conditions(name, **PAYLOAD)
            series = contributor.open_series(self.world.space, "phone", conditions)
            contributor.deposit(series, [(phone(number), plaintext(name, number)) for number in numbers])
        self.world.deposit("ngo-1", range(20, 25), **PAYLOAD)
        self.hits = self.world.ask(map(phone, ASKED)).request_id
        self.sources = self.world.climb(self.hits, map(phone, SELECTED)).request_id
        self.payload = self.world.climb(self.sources, map(phone, OPENED)).request_id
        self.unopened = self.export("unopened")
        self.world.payloads().open(self.payload)
        self.files: Mapping[str, bytes] = self.export("case")

    def export(self, name: str, request_id: bytes | None = None, now: int | None = None) -> dict[str, bytes]:
        """Export the case into a folder of that name beside the homes, and read it."""
        home, random_bytes = self.world.homes[POLICE], self.world.random("export")
        folder = self.world.folder / name
        export(home, request_id or self.payload, folder, now or self.world.now, random_bytes)
        return read_folder(folder)

    def close(self) -> None:
        """Stop the services."""
        self.world.close()

    @property
    def manifest(self) -> CaseManifest:
        """The manifest as exported."""
        return documents.unverified_payload(CaseManifest, self.files[MANIFEST].decode())

    def resigned(self, files: Mapping[str, bytes], signer: str = POLICE, **changes: Any) -> dict[str, bytes]:
        """These files under a new manifest that a party signs, with an index of them where they can be read."""
        content = {name: data for name, data in files.items() if name != MANIFEST}
        if content.get(INDEX) == self.files[INDEX]:
            with contextlib.suppress(BadInput):
                content[INDEX] = index.render(from_files(content)).encode()
        listed = tuple(
            ListedFile(path=path, bytes=len(data), sha256=hashlib.sha256(data).digest())
            for path, data in sorted(content.items())
            if not path.startswith("custody/")
        )
        manifest = self.manifest.model_copy(update={"files": listed, **changes})
        signed = documents.sign(manifest, self.world.homes[signer].signing_key)
        return content | {MANIFEST: signed.document.encode()}
