"""Who takes part in the demo, where their folders are, and how they come together in one space.

Rule: each party makes its own keys with its own command; files go from one to another as people would hand them over.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from clients.demo.processes import Processes


@dataclass(frozen=True)
class Party:
    """One party: its folder under the demo's directory, and how it introduces itself."""

    party_id: str
    name: str
    role: str
    kind: str | None
    jurisdiction: str


COMPANY = Party("adverts-company", "Adverts company", "agency", "company", "IE")
PAYMENTS = Party("payments-company", "Payments company", "agency", "company", "NL")
NGO = Party("shelter-ngo", "Shelter NGO", "agency", "ngo", "DE")
POLICE = Party("police-unit", "Police unit", "agency", "police", "NL")
DESK = Party("legal-desk", "Legal desk", "legal_desk", None, "NL")
AUDITOR = Party("auditor", "Data-protection auditor", "auditor", None, "NL")
AGENCIES = (COMPANY, PAYMENTS, NGO, POLICE)
HOLDERS = ("court-office", "privacy-regulator", "rights-ngo")
HOLDER_COUNT = len(HOLDERS)
THRESHOLD = 2


@dataclass(frozen=True)
class Places:
    """The demo's directory, and the loopback origins of its services."""

    root: Path
    broker_origin: str
    holder_origins: tuple[str, ...]
    policies: Path

    def home(self, party: Party | str) -> Path:
        """A party's own folder."""
        return self.root / (party if isinstance(party, str) else party.party_id)

    @property
    def space(self) -> Path:
        """The space document, as handed to everybody."""
        return self.root / "handed-over" / "space.jws"

    @property
    def founder(self) -> Path:
        """The enrolment document of the founding member, as handed to everybody."""
        return self.home(COMPANY) / "enrolment.jws"


def start_broker(processes: Processes, places: Places, role: str = "broker") -> None:
    """Start the broker on its folder. It is the same folder at each start."""
    port = places.broker_origin.rpartition(":")[2]
    arguments = (
        "broker",
        "serve",
        places.home("broker"),
        "--port",
        port,
        "--bundle",
        places.policies,
        "--trial",
    )
    processes.serve(role, arguments, places.broker_origin)


def make_parties(processes: Processes, places: Places) -> None:
    """Every party makes its keys; broker and holders start; agencies enrol and the operator accepts them."""
    processes.run(
        "broker", ("broker", "init", places.home("broker"), "--public-origin", places.broker_origin)
    )
    start_broker(processes, places)
    for number, (holder, origin) in enumerate(zip(HOLDERS, places.holder_origins, strict=True), start=1):
        names = (
            "--holder-id",
            holder,
            "--name",
            holder.replace("-", " ").capitalize(),
            "--jurisdiction",
            "NL",
        )
        processes.run(
            f"holder-{number}", ("keyholder", "init", places.home(holder), *names, "--origin", origin)
        )
    for party in (*AGENCIES, DESK, AUDITOR):
        kind = ("--kind", party.kind) if party.kind else ()
        names = ("--id", party.party_id, "--name", party.name, "--role", party.role, *kind)
        home = places.home(party)
        processes.run(party.party_id, ("agency", "init", home, *names, "--jurisdiction", party.jurisdiction))
        enrolled = processes.run(
            party.party_id, ("agency", "enrol", home, "--broker", places.broker_origin, "--json")
        )
        processes.run("broker", ("broker", "accept", places.home("broker"), enrolled.json()["kid"]))


def found_space(processes: Processes, places: Places) -> None:
    """The founding member writes the space document; everybody pins it from the file."""
    places.space.parent.mkdir(parents=True, exist_ok=True)
    description = places.space.parent / "broker.json"
    described = processes.run("broker", ("broker", "describe", places.home("broker"), "--json"))
    description.write_text(json.dumps(described.json()))
    members = [item for party in AGENCIES for item in ("--member", places.home(party) / "enrolment.jws")]
    holders = [item for holder in HOLDERS for item in ("--holder", places.home(holder) / "enrolment.jws")]
    reviewers = (
        "--desk",
        places.home(DESK) / "enrolment.jws",
        "--auditor",
        places.home(AUDITOR) / "enrolment.jws",
    )
    rules = (
        "--threshold",
        str(THRESHOLD),
        "--type",
        "phone",
        "--type",
        "email",
        "--bundle",
        places.policies,
        "--size-class",
        "512",
        "--witnesses",
        "0",
    )
    founding = (
        "space",
        "found",
        places.home(COMPANY),
        "--broker-description",
        description,
        "--name",
        "Demo space",
    )
    processes.run(
        COMPANY.party_id, (*founding, *members, *holders, *reviewers, *rules, "--out", places.space)
    )
    for party in (*AGENCIES, DESK, AUDITOR):
        join = ("space", "join", places.home(party), "--space", places.space, "--founder", places.founder)
        processes.run(party.party_id, join)
    for number, (holder, origin) in enumerate(zip(HOLDERS, places.holder_origins, strict=True), start=1):
        home, role = places.home(holder), f"holder-{number}"
        processes.run(role, ("keyholder", "pin", home, "--space", places.space, "--founder", places.founder))
        processes.run(role, ("keyholder", "activate", home, "--bundle", places.policies))
        processes.serve(role, ("keyholder", "serve", home, "--port", origin.rpartition(":")[2]), origin)
