"""The shelf: an operator's own copies of rule bundles, DIR/bundles/<digest>, the old ones too.

Rule (DESIGN 2.5): what is activated is copied first, so that a decision can be made again when the source is gone; a
copy whose contents have another digest than its name is not used. Nothing is ever removed. It decides nothing.
"""

import shutil
from pathlib import Path

from broker.gate import bundle as bundles
from broker.gate.bundle import BESIDE, Bundle
from broker.gate.durability import sync
from broker.protocol.errors import NotFound, VerificationFailed

SHELF_FOLDER = "bundles"


class BundleShelf:
    """The copies in one operator's folder."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory / SHELF_FOLDER
        self._loaded: dict[bytes, Bundle] = {}

    def keep(self, source: Path, bundle: Bundle) -> Bundle:
        """Copy a bundle that was loaded from `source`, and load the copy.

        Raises VerificationFailed when the source changed meanwhile; nothing is kept then."""
        kept = self._directory / bundle.digest.hex()
        if not kept.exists():
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            unfinished = self._directory / f".{bundle.digest.hex()}"
            shutil.rmtree(unfinished, ignore_errors=True)
            # What decides nothing is not copied.
            shutil.copytree(source, unfinished, ignore=shutil.ignore_patterns(*BESIDE, ".*"))
            if bundles.load(unfinished).digest != bundle.digest:
                shutil.rmtree(unfinished)
                raise VerificationFailed(
                    "The rules were changed while they were copied. Nothing was activated."
                )
            _make_durable(unfinished)
            unfinished.replace(kept)
            sync(self._directory)
        return self.get(bundle.digest)

    def get(self, digest: bytes) -> Bundle:
        """A kept bundle. Raises NotFound if there is none, VerificationFailed if its files were changed."""
        if digest not in self._loaded:
            kept = self._directory / digest.hex()
            if not kept.exists():
                raise NotFound(
                    "A rule bundle that is needed is not in this folder's bundles/. Put the operator's copy back."
                )
            bundle = bundles.load(kept)
            if bundle.digest != digest:
                raise VerificationFailed(
                    "This folder's copy of a rule bundle was changed. Put a true copy back into bundles/."
                )
            self._loaded[digest] = bundle
        return self._loaded[digest]


def _make_durable(directory: Path) -> None:
    for path in (*directory.rglob("*"), directory):
        sync(path)
