"""Which instruments carry a form from one jurisdiction to another: what can be asked after a match.

Rule: only an instrument that is in force and whose pack names the pair carries it; an unknown pair is told, never
guessed. It reads the packs of a folder without any rule, so that a requester needs no engine for it, and it decides
nothing about the request itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from broker.gate import catalogue, packs
from broker.gate.catalogue import Vocabulary
from broker.gate.instrument_terms import Form
from broker.gate.instruments import Instrument
from broker.protocol.errors import BadInput

_MAXIMUM_BYTES = 1024 * 1024


@dataclass(frozen=True)
class LegalCatalogue:
    """The law's side of a bundle: instruments by name, and the vocabulary."""

    instruments: Mapping[str, Instrument]
    vocabulary: Vocabulary


def read_catalogue(directory: Path) -> LegalCatalogue:
    """The catalogue of the bundle in `directory`. Raises BadInput naming file and field."""
    files = {
        path.relative_to(directory).as_posix(): _text(directory, path)
        for path in sorted(directory.glob(f"{packs.FOLDER}/*.toml"))
    }
    regions = catalogue.read_regions(_text(directory, directory / "regions.toml"))
    vocabulary = catalogue.read_vocabulary(_text(directory, directory / "vocabulary.toml"))
    return LegalCatalogue(packs.read_packs(files, regions, None), vocabulary)


def carriers(
    instruments: Mapping[str, Instrument], form: Form, issuing: str, established_in: str, now: int
) -> dict[str, Instrument]:
    """The instruments in force at `now` that carry `form` from `issuing` to `established_in`, by name."""
    return {
        name: one
        for name, one in instruments.items()
        if one.form is form and one.in_force(now) and one.joins(issuing, established_in)
    }


def why_none(
    instruments: Mapping[str, Instrument], form: Form, issuing: str, established_in: str, now: int
) -> str:
    """In words, why nothing carries `form` from `issuing` to `established_in`."""
    of_form = [one for one in instruments.values() if one.form is form]
    waiting = [one for one in of_form if one.joins(issuing, established_in) and not one.in_force(now)]
    if waiting:
        return f"{waiting[0].title} is not in force. {waiting[0].status or ''}".rstrip()
    where = f"from {issuing} to {established_in}"
    if issuing == established_in:
        where = f"inside {issuing}: an order of that country's own law may be the way"
    return f"No instrument in the packs carries the form {form} {where}."


def _text(directory: Path, path: Path) -> str:
    name = path.relative_to(directory).as_posix()
    try:
        data = path.read_bytes()
        if len(data) > _MAXIMUM_BYTES:
            raise BadInput(f"{name} is larger than any file of rules should be.")
        return data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{name} cannot be read as UTF-8 text. Name the folder of the rules.") from error
