"""The parts of INDEX.txt that are the same in every case: what each file is, how to verify, what is proved.

Rule: written for people who never saw this program. It claims nothing that `clients.case_file.checks` does not check.
A change of wording is a new version of the folder, since the check makes the text again.
"""

FILES = (
    "A file ending in .jws is a signed document (JWS, RFC 7515, Ed25519): whoever changes a byte of it breaks its "
    "signature. The others are as received, or say in JSON what the requester adds.",
    """\
  manifest.jws                the requester's signature over every file here, by SHA-256
  founder.jws                 the enrolment of the member that founded the collaboration
  space/                      who takes part, under which keys, signed by the founder
  steps/N-TIER/request.jws    what was asked, on what law, signed by the requester
  .../findings/               what a legal desk verified of it
  .../approvals/              who approved exactly these papers, in what capacity
  .../admission.json          the broker's permit, with the proof of the entry that it rests on
  .../evaluations/            key holders' statements that they evaluated under this permit
  .../disclosure.jws          what was told, by which rules and law, with the proof of the entry that decided it
  .../released.json           the entry of the log that records this very answer: its proof, and what opens it
  .../tokens.json             the pseudonyms that a later step sent; all of them belong to hits
  .../confirmation.jws        that a person of the requester looked at the matches
  .../found.json              which identifiers are behind the matches: the requester's word
  .../opening.json            the permit to open, the sealed records, their contributors' signatures and releases
  records/N/opened.json       the key that opens one sealed record, and no other
  records/N/plaintext         what was in it
  custody/                    who handed this folder to whom, each signing for all before""",
)

VERIFY = (
    "On any computer with the program narrowgate; no network, account or key is needed. Have the founder's two files "
    "(its enrolment and the space document) from the founder, not from this folder:",
    """\
  narrowgate case verify FOLDER --founder founder-enrolment.jws --space-document space.jws""",
    "It prints each check as it passes, or the first that fails. An expert can do the same with other programs: the "
    "formats are in docs/protocol.md and docs/decisions/0012-the-case-folder.md of the program.",
)

LIMITS = (
    "Proved, if the founder's files are genuine: the requester asked this, for this case, on this law; these desks and "
    "people signed for it; the broker answered so, and the log records this very answer to this very request; key "
    "holders decided again and evaluated; each record is the one that its contributor signed last, byte for byte, and "
    "opens to the text shown.",
    "Not proved: that what a contributor recorded is true, or about the right person. That a number or address belongs "
    "to its match is the requester's signed word; an auditor can have it opened. What the broker decided on is not in "
    "the folder: only auditors read it, and key holders as far as they are asked. That nothing else was found, or that "
    "no other finding was made, is not shown. The newest hand-over can be taken away without a trace in the folder: "
    "ask whoever handed it over.",
)
