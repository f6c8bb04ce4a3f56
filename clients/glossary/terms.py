"""The glossary: each word of the program's help and messages in plain English.

Rule: written for a police officer, a helpline volunteer and a lawyer on their first day; no word is explained by one
that is not explained here or in a dictionary. Whoever brings a new word into a help text brings it here.

Rules and gateways have their words from the bundle and problems from `broker.protocol.problems`: see `find`.
"""

from typing import NamedTuple


class Term(NamedTuple):
    """A word, what it means, and other words for it."""

    name: str
    words: str
    also: tuple[str, ...] = ()


TERMS: tuple[Term, ...] = (
    Term(
        "access request",
        "A person asks what is held about them. A contributor answers about its own records, from its own computer.",
    ),
    Term(
        "agency",
        "An organisation that deposits or asks: police, company, bank, hotline, helpline or other civil-society "
        "organisation. Each has a home with its own keys.",
    ),
    Term(
        "approval",
        "What a supervisor or prosecutor signs who agrees with exactly one request. Sources need two, and so do "
        "payloads; nobody approves a request of their own.",
        ("approve", "approver"),
    ),
    Term(
        "auditor",
        "A data-protection authority or ombudsman who reads the log, verifies it and takes decisions again, without "
        "seeing an identifier or a record.",
    ),
    Term(
        "blinding",
        "Before an identifier is sent to the key holders it is mixed with a random number that only you know, so that "
        "they work on it without seeing it. Afterwards you take the number out again.",
        ("blind", "blinded"),
    ),
    Term(
        "broker",
        "The neutral service in the middle. It applies the rules, compares masked identifiers, and records. It never "
        "sees an identifier and cannot open a record.",
    ),
    Term(
        "budget",
        "How many identifiers an agency may ask about in 30 days; key holders count for themselves too.",
    ),
    Term(
        "bundle",
        "The written rules as one set, with their numbers and lists. It has a digest: two parties with the same digest "
        "have the same rules.",
        ("rules",),
    ),
    Term(
        "canonical form",
        "The one way of writing an identifier that is compared: +44 7700 900123 and 07700 900123 are one number, and "
        "become one text.",
        ("canonicalise",),
    ),
    Term(
        "checkpoint",
        "The state of the log at one moment, signed: so many entries, and a fingerprint of all of them.",
    ),
    Term(
        "claims",
        "What a requester says about a case: order, offence, purpose, necessity. Nothing is loosened on claims alone.",
    ),
    Term(
        "conditions",
        "Under what you share: who may ask, for what, in which cases, how far, and until when. They are signed and go "
        "with each deposit.",
    ),
    Term(
        "consent",
        "The agreement of the person a record is about. Who withdraws it has the record taken back.",
    ),
    Term(
        "contested",
        "Somebody says that what is held is wrong or not theirs. Until its contributor decides, it is taken out and "
        "found by nobody; then it is upheld, and may be shared again, or withdrawn, and stays out.",
        ("contest", "upheld"),
    ),
    Term("contributor", "An agency that deposits what it knows, under its own conditions.", ("depositor",)),
    Term(
        "cosignature",
        "A witness's signature under a checkpoint: it saw this log, and the log only grew.",
        ("cosign", "cosigned"),
    ),
    Term(
        "count",
        "The lowest tier: how many of your identifiers are known to anybody, with a little random noise so that no "
        "single person can be told from the number.",
    ),
    Term(
        "deposit",
        "A file of identifiers that a contributor shares, masked on its own computer first. It can be corrected and "
        "taken back.",
    ),
    Term(
        "digest",
        "A fingerprint of a text or file: 64 letters and digits. If one letter of the text changes, all of it changes.",
        ("hash", "fingerprint", "sha-256"),
    ),
    Term("disclosure", "An answer that left the broker. None leaves without an entry in the log."),
    Term(
        "dry run",
        "Reads your file and says what would happen; nothing is sent.",
        ("--dry-run",),
    ),
    Term(
        "enrolment",
        "The file by which you introduce yourself: name, kind, country and public keys, signed.",
        ("enrol",),
    ),
    Term(
        "evaluation",
        "A key holder's part of the work on a blinded identifier. Each one rests on a permit, is decided again by the "
        "holder, and is in its log.",
        ("evaluate",),
    ),
    Term(
        "exit code",
        "The number with which a command ends, for scripts: 0 done, 1 fault, 2 wrong usage, 3 refused by the rules, "
        "4 something does not verify, 5 somebody did not answer, 6 bad input.",
    ),
    Term("exit code 0", "Done."),
    Term(
        "exit code 1",
        "The program failed, or narrowgate doctor found something broken. Running it again is safe.",
    ),
    Term("exit code 2", "The command was not written as it wants; add --help to see how."),
    Term(
        "exit code 3", "The rules refused; the reasons were printed. That is an answer, and it is in the log."
    ),
    Term(
        "exit code 4",
        "A signature, proof or digest does not verify. Do not use what came with it; keep it as evidence.",
    ),
    Term(
        "exit code 5",
        "Somebody did not answer. Run the same command again later; it goes on where it broke off.",
    ),
    Term("exit code 6", "Something you gave is wrong or missing; the message says what."),
    Term(
        "finding",
        "What a legal desk signs after it compared a request's claims with the order. Rules believe findings, not "
        "claims.",
    ),
    Term("founder", "The member that set a space up and signs its roster."),
    Term(
        "gate",
        "The part of the broker, and of each key holder, that applies the rules to the facts. The same facts and rules "
        "always give the same answer.",
    ),
    Term(
        "gateway",
        "A rule that allows: a way on which data may go, such as G1a to G5, for a lane and a kind of order.",
        ("legal basis code",),
    ),
    Term(
        "hit",
        "One of your own identifiers that somebody else knows too. It says nothing about its owner.",
        ("match",),
    ),
    Term("hits", "The second tier: which of your identifiers are known, and not by whom."),
    Term(
        "home",
        "Your folder with keys, salts, and the documents you pinned. Keep a backup: without it nobody can open what "
        "was sealed for you.",
    ),
    Term(
        "identifier",
        "What points at a person or thing and is compared: a telephone number, a mail address, an account, a plate.",
    ),
    Term(
        "key holder",
        "One of several independent offices that each keep a part of a key. None can do anything alone.",
        ("holder",),
    ),
    Term(
        "lane",
        "From which kind of contributor to which kind of reader data may go, such as company to police. A lane that "
        "the rules do not open is refused.",
    ),
    Term("legal basis", "The order, law or consent on which a request rests.", ("instrument",)),
    Term(
        "legal desk", "The lawyer of a space who compares requests with orders and signs findings.", ("desk",)
    ),
    Term(
        "log",
        "The broker's record of every decision. Entries can be added and never changed, which anybody can check.",
    ),
    Term("mandate", "The purposes for which a member may ask, as the roster names them."),
    Term(
        "masking",
        "Turning an identifier into a token with keys, on your own computer. The token tells nobody the identifier.",
        ("mask", "masked"),
    ),
    Term("outcome", "What became of a hit: useful, a false match, a victim identified, not yet known."),
    Term(
        "payload",
        "What a contributor sealed with an identifier; also the highest tier, at which such a record is opened.",
        ("sealed record",),
    ),
    Term(
        "permit",
        "The broker's signed yes to one request, with its limits and its entry in the log. Key holders do nothing "
        "without one, and decide again all the same.",
    ),
    Term(
        "pin",
        "To keep somebody's key or document from a file they handed you, so that no service can give you another.",
    ),
    Term("prekey", "A key of a key holder that is used for one series and then destroyed."),
    Term(
        "pseudonymous",
        "Written so that a person is not named, and can still be found again by who has the keys.",
    ),
    Term(
        "quorum",
        "How many must take part: of the key holders for a request, or of the witnesses for a checkpoint.",
        ("threshold",),
    ),
    Term(
        "receipt",
        "The proof that a refusal, permit or answer stands in the log. Anybody can check it, offline.",
    ),
    Term(
        "refusal", "A no of the rules, with each rule, its reason, its law and what would have been needed."
    ),
    Term(
        "release", "A contributor's own yes or no to opening its own record. Silence for seven days is a no."
    ),
    Term("replay", "To take a recorded decision again from its facts and rules, and compare."),
    Term(
        "request",
        "The signed question of a requester: which identifiers (blinded), what tier, on what legal basis.",
    ),
    Term("requester", "An agency that asks."),
    Term("retention", "How long something may be kept. After it, it is erased."),
    Term(
        "review",
        "A judge's or independent reviewer's look, before a payload opens or after an emergency.",
        ("reviewer",),
    ),
    Term(
        "roster",
        "The list of a space's members, key holders, legal desks and auditors, signed by the founder.",
    ),
    Term(
        "salt",
        "A secret of a space's members that is mixed into every identifier, so that outsiders, and the broker, cannot "
        "try out numbers.",
    ),
    Term(
        "seal",
        "To lock something with a key so that only who has the key can open it, and nobody can change it.",
    ),
    Term(
        "series",
        "The keys under which one contributor masks one type of identifier, on one set of conditions, for one quarter "
        "of a year.",
    ),
    Term("share", "A key holder's part of a series' key. Too few shares together tell nothing."),
    Term("signal", "One identifier with what is known about it: a row of a file."),
    Term("sources", "The third tier: who knows your hits, on what conditions, and whom to call."),
    Term("space", "One collaboration: its members, types of identifiers, key holders, rules and witnesses."),
    Term(
        "statistics",
        "About how often your series were asked in each month and on what grounds; never who asked.",
    ),
    Term("thumbprint", "A short fingerprint of a key, to be compared on the telephone."),
    Term(
        "tier",
        "How much an answer tells: count, hits, sources or payload, from least to most. Each is asked for anew.",
    ),
    Term(
        "token",
        "What an identifier becomes when it is masked: 16 bytes that fit only tokens of the same series.",
    ),
    Term(
        "trial",
        "A space without witnesses: nobody would notice if the broker showed two logs. No real cases in it.",
    ),
    Term(
        "withdrawal",
        "Taking back what was deposited. What was disclosed before stays disclosed.",
        ("withdraw",),
    ),
    Term("witness", "Somebody independent who signs that the broker's log only ever grew."),
)
