"""Who takes part in the demo, where their folders are, and how they come together in one space.

Rule: each party makes its own keys with its own command; files go from one to another as people would hand them over.
"""

import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from clients.demo import rules
from clients.demo.processes import Processes


@dataclass(frozen=True)
class Party:
    """One party: its folder under the demo's directory, and how it introduces itself."""

    party_id: str
    name: str
    role: str
    kind: str | None
    jurisdiction: str
    capacity: str | None = None
    """Of a person who approves: as the founder writes it."""
    calls_broker: bool = True
    """Whether it ever calls the broker; who only signs papers that are handed over needs no enrolment there."""

    @property
    def contact(self) -> str:
        """Where others follow up on a match that an agency holds."""
        return f"matches@{self.party_id}.example" if self.kind else ""


COMPANY = Party("adverts-company", "Adverts company", "agency", "company", "IE")
PAYMENTS = Party("payments-company", "Payments company", "agency", "company", "NL")
NGO = Party("shelter-ngo", "Shelter NGO", "agency", "ngo", "DE")
HELPLINE = Party("survivors-helpline", "Survivors' helpline", "agency", "helpline", "NL")
POLICE = Party("police-unit", "Police unit", "agency", "police", "NL")
BORDER = Party("border-police", "Border police", "agency", "police", "DE")
DESK = Party("legal-desk", "Legal desk", "legal_desk", None, "NL", calls_broker=False)
AUDITOR = Party("auditor", "Data-protection auditor", "auditor", None, "NL")
AGENCIES = (COMPANY, PAYMENTS, NGO, HELPLINE, POLICE, BORDER)


def _signs(party_id: str, name: str, capacity: str) -> Party:
    return Party(party_id, name, "approver", None, "NL", capacity, calls_broker=False)


SUPERVISOR = _signs("police-supervisor", "Police supervisor", f"supervisor:{POLICE.party_id}")
PROSECUTOR = _signs("prosecutor", "Prosecutor", "prosecutor")
REVIEWER = _signs("independent-reviewer", "Independent reviewer", "independent_reviewer")
JUDGE = Party("judge", "Judge", "approver", None, "NL", "judge")
TRUST_LEAD = _signs("trust-lead", "Trust and safety lead", f"supervisor:{PAYMENTS.party_id}")
COMPLIANCE = _signs("compliance-officer", "Compliance officer", f"supervisor:{PAYMENTS.party_id}")
PEOPLE = (SUPERVISOR, PROSECUTOR, JUDGE, REVIEWER, TRUST_LEAD, COMPLIANCE)
HOLDERS = ("court-office", "privacy-regulator", "rights-ngo")
HOLDER_COUNT = len(HOLDERS)
WITNESSES = ("ombudsman", "university")
"""Who cosigns the broker's log and the key holders'; both must."""
ItemT = TypeVar("ItemT")
THRESHOLD = 2


@dataclass(frozen=True)
class Places:
    """The demo's directory, and the loopback origins of its services."""

    root: Path
    broker_origin: str
    holder_origins: tuple[str, ...]
    policies: Path
    """The rules as the project has them, which nobody signed."""
    witness_origins: tuple[str, ...] = ()
    """As many as there are witnesses; without any the broker runs as a trial."""

    def home(self, party: Party | str) -> Path:
        """A party's own folder."""
        return self.root / (party if isinstance(party, str) else party.party_id)

    @property
    def rules(self) -> Path:
        """The rules as two officers signed them, and as handed to every operator."""
        return self.root / "handed-over" / "policies"

    @property
    def space(self) -> Path:
        """The space document, as handed to everybody."""
        return self.root / "handed-over" / "space.jws"

    @property
    def trial(self) -> tuple[str, ...]:
        """What the broker's commands are told when nobody cosigns its log."""
        return () if self.witness_origins else ("--trial",)

    @property
    def witness_keys(self) -> list[Path]:
        """Where each witness's key lies, as the witness handed it over."""
        return [self.space.parent / f"{name}.key" for name in WITNESSES[: len(self.witness_origins)]]

    @property
    def description(self) -> Path:
        """The broker's names and public keys, as its operator hands them over."""
        return self.space.parent / "broker.json"

    @property
    def founder(self) -> Path:
        """The enrolment document of the founding member, as handed to everybody."""
        return self.home(COMPANY) / "enrolment.jws"


def serve_broker(places: Places, home: Path) -> tuple[str | Path, ...]:
    """The command that starts the broker on its folder, or on a copy of it."""
    return ("broker", "serve", home, "--port", places.broker_origin.rpartition(":")[2], *places.trial)


def start_broker(processes: Processes, places: Places) -> None:
    """Start the broker on its folder. It is the same folder at each start."""
    processes.serve("broker", serve_broker(places, places.home("broker")), places.broker_origin)


def make_parties(processes: Processes, places: Places) -> None:
    """Every party makes its keys; the broker activates rules and starts; who calls it enrols and is accepted."""
    init = ("broker", "init", places.home("broker"), "--public-origin", places.broker_origin)
    processes.run("broker", init)
    rules.make_signed(processes, places.policies, places.rules, _officers(places))
    side_by_side(_make_holder(processes, places), range(HOLDER_COUNT))
    _start_witnesses(processes, places)
    home, officers = places.home("broker"), _officers(places)
    rules.activate(processes, "broker", "broker", home, places.rules, officers, places.trial)
    start_broker(processes, places)
    side_by_side(_make_party(processes, places), (*AGENCIES, AUDITOR, DESK, *PEOPLE))


def found_space(processes: Processes, places: Places) -> None:
    """The founding member writes the space document; everybody pins it from the file."""
    places.description.write_text(json.dumps(_describe_broker(processes, places)))
    members = [item for party in AGENCIES for item in ("--member", places.home(party) / "enrolment.jws")]
    holders = [item for holder in HOLDERS for item in ("--holder", places.home(holder) / "enrolment.jws")]
    desk, auditor = (places.home(party) / "enrolment.jws" for party in (DESK, AUDITOR))
    approvers = [
        item
        for person in PEOPLE
        for item in ("--approver", f"{person.capacity}={places.home(person) / 'enrolment.jws'}")
    ]
    # The border police may ask about traffickers only; everybody else for what its kind may.
    mandate = ("--mandate", f"{BORDER.party_id}:investigate_trafficker")
    sizes = f"--threshold {THRESHOLD} --type phone --type email --size-class 512".split()
    witnesses = [item for key in places.witness_keys for item in ("--witness", key)]
    quorum = ("--witnesses", str(len(places.witness_keys)))
    founding = (
        "space",
        "found",
        places.home(COMPANY),
        "--name",
        "Demo space",
        "--broker-description",
        places.description,
    )
    reviewers = ("--desk", desk, "--auditor", auditor, "--bundle", places.rules)
    processes.run(
        COMPANY.party_id,
        (
            *founding,
            *members,
            *holders,
            *reviewers,
            *approvers,
            *mandate,
            *sizes,
            *witnesses,
            *quorum,
            "--out",
            places.space,
        ),
    )
    side_by_side(_join(processes, places), (*AGENCIES[1:], AUDITOR, DESK, *PEOPLE))
    side_by_side(_start_holder(processes, places), range(HOLDER_COUNT))


def _describe_broker(processes: Processes, places: Places) -> dict[str, Any]:
    described = processes.run("broker", ("broker", "describe", places.home("broker"), "--json"))
    found: dict[str, Any] = described.json()
    return found


def _start_witnesses(processes: Processes, places: Places) -> None:
    """Witnesses and operators exchange keys, each as a file; then the witnesses serve, and the operators name them."""
    if not places.witness_origins:
        return
    log_keys = _hand_over_log_keys(processes, places)

    def start(number: int) -> None:
        name, origin = WITNESSES[number], places.witness_origins[number]
        init = ("witness", "init", places.home(name), "--name", f"{name}.example/log", "--json")
        places.witness_keys[number].write_text(processes.run(name, init).json()["verifier_key"] + "\n")
        for log_key in log_keys:
            processes.run(name, ("witness", "add-log", places.home(name), log_key))
        serve = ("witness", "serve", places.home(name), "--port", origin.rpartition(":")[2])
        processes.serve(name, serve, origin)

    side_by_side(start, range(len(places.witness_origins)))
    at = list(zip(places.witness_keys, places.witness_origins, strict=True))
    named = ", ".join(f'{{ key = "{key.read_text().strip()}", url = "{url}" }}' for key, url in at)
    with (places.home("broker") / "settings.toml").open("a", encoding="utf-8") as file:
        file.write(f"witnesses = [{named}]\nwitness_quorum = {len(at)}\n")
    chosen = [item for key, url in at for item in ("--add", key, "--url", url)]

    def name_them(number: int) -> None:
        choice = ("keyholder", "witnesses", places.home(HOLDERS[number]), *chosen, "--quorum", str(len(at)))
        processes.run(f"holder-{number + 1}", choice)

    side_by_side(name_them, range(HOLDER_COUNT))


def _hand_over_log_keys(processes: Processes, places: Places) -> list[Path]:
    """The keys of the logs that the witnesses are to cosign: the broker's, and each key holder's own."""
    keys = [_describe_broker(processes, places)["log_verifier_key"]]
    for number, holder in enumerate(HOLDERS, start=1):
        status = processes.run(f"holder-{number}", ("keyholder", "status", places.home(holder), "--json"))
        keys.append(status.json()["log_verifier_key"])
    files = [places.space.parent / f"{name}-log.key" for name in ("broker", *HOLDERS)]
    for file, key in zip(files, keys, strict=True):
        file.write_text(key + "\n")
    return files


def side_by_side(step: Callable[[ItemT], None], items: Iterable[ItemT]) -> None:
    """Take a step for each item, two at a time: the parties do not wait for one another in life either."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        for done in [pool.submit(step, item) for item in items]:
            done.result()


def _officers(places: Places) -> list[Path]:
    return [places.home(officer) for officer in rules.OFFICERS]


def _make_holder(processes: Processes, places: Places) -> Callable[[int], None]:
    def step(number: int) -> None:
        holder, origin = HOLDERS[number], places.holder_origins[number]
        names = (
            "--holder-id",
            holder,
            "--name",
            holder.replace("-", " ").capitalize(),
            "--jurisdiction",
            "NL",
        )
        arguments = ("keyholder", "init", places.home(holder), *names, "--origin", origin)
        processes.run(f"holder-{number + 1}", arguments)

    return step


def _make_party(processes: Processes, places: Places) -> Callable[[Party], None]:
    def step(party: Party) -> None:
        role, home = party.party_id, places.home(party)
        kind = ("--kind", party.kind) if party.kind else ()
        names = ("--id", party.party_id, "--name", party.name, "--role", party.role, *kind)
        where = ("--jurisdiction", party.jurisdiction, "--contact", party.contact)
        processes.run(role, ("agency", "init", home, *names, *where))
        if not party.calls_broker:
            return
        enrolled = processes.run(role, ("agency", "enrol", home, "--broker", places.broker_origin, "--json"))
        processes.run("broker", ("broker", "accept", places.home("broker"), enrolled.json()["kid"]))

    return step


def _join(processes: Processes, places: Places) -> Callable[[Party], None]:
    def step(party: Party) -> None:
        join = ("space", "join", places.home(party), "--space", places.space, "--founder", places.founder)
        processes.run(party.party_id, join)

    return step


def _start_holder(processes: Processes, places: Places) -> Callable[[int], None]:
    def step(number: int) -> None:
        home, origin = places.home(HOLDERS[number]), places.holder_origins[number]
        role = f"holder-{number + 1}"
        processes.run(role, ("keyholder", "pin", home, "--space", places.space, "--founder", places.founder))
        rules.activate(processes, "keyholder", role, home, places.rules, _officers(places))
        processes.serve(role, ("keyholder", "serve", home, "--port", origin.rpartition(":")[2]), origin)

    return step
