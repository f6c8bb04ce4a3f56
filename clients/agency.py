"""A party introduces itself: its enrolment document, read, checked and sent to a broker.

Rule: an enrolment is signed by the very key it names, so it proves that whoever wrote it has the key and nothing more.
That the key is that party's, people settle between themselves by reading out its thumbprint (DESIGN 2.5).

The keys are made by `clients.home.Home.create`.
"""

from broker.protocol import documents
from broker.protocol.documents import Signed
from broker.protocol.errors import BadInput
from broker.protocol.messages.envelopes import DocumentMessage, Nothing
from broker.protocol.messages.parties import Enrolment
from broker.protocol.messages.vocabulary import Role
from clients.home import Home
from clients.transport import Caller


def read_enrolment(document: str, role: Role | None = None) -> Signed[Enrolment]:
    """Verify an enrolment under the key in it.

    Args:
        document: JWS compact serialisation.
        role: what the party must be; None for any.

    Raises BadInput (not an enrolment, or of another role) or VerificationFailed.
    """
    named = documents.unverified_payload(Enrolment, document)
    signed = documents.verify(Enrolment, document, named.signing_key)
    if role is not None and named.role is not role:
        raise BadInput(f"An enrolment file names a party in another role; here a {role.value} is needed.")
    return signed


def enrol(home: Home, caller: Caller, broker_origin: str) -> str:
    """Send the home's enrolment to a broker, whose operator has yet to accept it.

    Returns: the thumbprint of the party's key, to read out to the operator. Raises RemoteProblem or Unreachable.
    """
    caller.post(f"{broker_origin}/v1/enrolments", DocumentMessage(document=home.enrolment), Nothing)
    return home.identity.kid
