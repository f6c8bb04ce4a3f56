"""Who puts rules in force: the officers, what they sign about a bundle of rules, and what a log keeps of it.

Rule (decision 0014): an approval is over the digest of one bundle, the digest of the one it follows, and the time from
which it is valid. Officers are pinned from files, never taken from a broker's word; an operator activates what two of
them approved. Nothing here counts signatures: `broker.gate.activation` does.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from broker.protocol.messages.base import Bytes32, Document, Message, Name, Seconds, Slug

Changes = Annotated[str, StringConstraints(min_length=1, max_length=4000)]


class RuleOfficer(Message):
    """A person whose signature can put rules in force, as the person introduces itself: signed by the key it names.

    Says nothing until an operator pinned it."""

    TYP: ClassVar[str] = "rule-officer"
    v: Literal[1] = 1
    officer_id: Slug
    name: Name
    office: Name
    """Such as data-protection officer, or chief legal officer."""
    signing_key: Bytes32
    created_at: Seconds


class BundleApproval(Message):
    """An officer approves that one bundle of rules is put in force, after one other, from one time on."""

    TYP: ClassVar[str] = "bundle-approval"
    v: Literal[1] = 1
    bundle_digest: Bytes32
    previous_digest: Bytes32 | None
    """The bundle it follows; None for the first."""
    valid_from: Seconds
    officer_id: Slug
    office: Name
    changes: Changes
    """What changes, in plain words."""
    signed_at: Seconds


class BundleActivation(Message):
    """What broker and key holders keep of an activation, each in its own log; part of their records."""

    v: Literal[2] = 2
    """1 was written when a broker took any rules it was started with: those count as not in force."""
    bundle_digest: Bytes32
    previous_digest: Bytes32 | None
    """What was in force here before."""
    valid_from: Seconds
    approvals: Annotated[tuple[Document, ...], Field(min_length=2, max_length=16)]
    """The officers' approvals that counted."""
