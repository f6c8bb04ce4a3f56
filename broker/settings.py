"""The broker's settings: one TOML file in its folder, overridden by NARROWGATE_BROKER_* variables.

Rule: no secret is a setting (keys lie in files of their own, mode 0600), and every field is documented here; units
are in names. It does not open anything.
"""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from broker.protocol.errors import BadInput
from broker.protocol.messages.base import explain
from broker.protocol.messages.parties import Origin, WitnessKey, WitnessUrl, in_clear, read_witness_key

SETTINGS_FILE = "settings.toml"
DATABASE_URL = r"^(sqlite:///|postgresql\+psycopg://)[^\x00-\x1f]+$"


class WitnessAddress(BaseModel):
    """A witness: its key as one line, and where it is called."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    key: WitnessKey
    url: WitnessUrl


class Settings(BaseSettings):
    """What an operator chooses."""

    model_config = SettingsConfigDict(
        env_prefix="NARROWGATE_BROKER_", frozen=True, extra="forbid", hide_input_in_errors=True
    )

    public_origin: Origin
    """Scheme, host and port under which clients call: what their signatures cover, also behind a proxy."""
    database_url: Annotated[str, Field(repr=False), StringConstraints(pattern=DATABASE_URL)]
    """sqlite:///PATH, or postgresql+psycopg://... Has no repr since it may hold a password."""
    log_origin: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:/-]{1,200}$")]
    """The name in the first line of every checkpoint."""
    operator_kid: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]
    """Thumbprint of the operator's key."""
    operator_key: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """The operator's raw public key, in hexadecimal."""
    trial: bool = False
    """Without witnesses nothing but a trial may run; every receipt then says so. In a trial no witness is asked."""
    witnesses: Annotated[tuple[WitnessAddress, ...], Field(max_length=20)] = ()
    """Who is asked to cosign the log."""
    witness_quorum: Annotated[int, Field(ge=0, le=20)] = 0
    """How many of them must have cosigned before a permit or a disclosure leaves."""
    witness_timeout_seconds: Annotated[int, Field(ge=1, le=60)] = 5
    """How long their cosignatures are waited for; then nothing leaves."""
    witness_plain_http: bool = False
    """Also call witnesses on other machines over http://, where the network between is the operator's own."""
    permit_hours: Annotated[int, Field(ge=1, le=720)] = 24
    """How long a permit may be used."""
    match_days: Annotated[int, Field(ge=1, le=3650)] = 30
    """How long matched tokens stay after their permit's end."""
    statistics_least: Annotated[int, Field(ge=5, le=1000)] = 5
    """Contributors are told no number of requests below this; others are rounded down to a multiple of it."""
    statistics_agencies: Annotated[int, Field(ge=2, le=100)] = 3
    """A month counts only where at least so many agencies asked, of more that could have."""
    statistics_epsilon_millis: Annotated[int, Field(ge=1, le=10_000)] = 500
    """Privacy loss of each number contributors are told, in thousandths."""
    statistics_delay_days: Annotated[int, Field(ge=1, le=365)] = 7
    """How long after its end a month is published."""
    statistics_months: Annotated[int, Field(ge=1, le=120)] = 24
    """How many months are kept."""
    maximum_body_bytes: Annotated[int, Field(ge=1024)] = 16 * 1024 * 1024
    """Larger bodies are refused before they are read."""

    @model_validator(mode="after")
    def _witnesses_not_in_clear(self) -> "Settings":
        # Cosignatures cannot be forged on the way, but they can be kept from arriving.
        if not self.witness_plain_http and any(in_clear(each.url) for each in self.witnesses):
            raise ValueError(
                "a witness's url is http:// to another machine: use https://, or set witness_plain_http = true if the "
                "network between is yours"
            )
        return self

    @model_validator(mode="after")
    def _witnesses_differ(self) -> "Settings":
        keys = [read_witness_key(each.key) for each in self.witnesses]
        if not len({key.name for key in keys}) == len({key.public_key for key in keys}) == len(keys):
            raise ValueError("two witnesses have the same name or key")
        if self.witness_quorum > len(keys):
            raise ValueError("witness_quorum is more than there are witnesses")
        # Else two halves of honest witnesses, shown two logs, would each be enough.
        if 0 < 2 * self.witness_quorum <= len(keys):
            raise ValueError("witness_quorum must be more than half of the witnesses")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment goes before what the file said; no .env file is read."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings


def load(directory: Path, database_url: str, **overrides: Any) -> Settings:
    """The settings of the broker's folder. Raises FileNotFoundError, or BadInput naming the setting.

    `database_url` is used where the file names none; `overrides` are what the command line said."""
    path = directory / SETTINGS_FILE
    if not path.is_file():
        raise FileNotFoundError(SETTINGS_FILE)
    try:
        from_file = TomlConfigSettingsSource(Settings, path)()
        return Settings(**({"database_url": database_url} | from_file | overrides))
    except ValidationError as error:
        raise BadInput(f"The settings are not usable: {explain(error)}") from None
    except ValueError as error:
        raise BadInput("The settings file is not TOML.") from error
