"""The case number that a person gets for their own submission: random, speakable, with a check character.

    number = 9 random characters and a check character, written as K7Q-M2XH-FRT

Rule: the alphabet has 31 characters, none of which looks like another (no 0, 1, I, O or U), so that 31 is prime and the
weighted check finds every single wrong character and every swap of two. 31^9 is about 2^44. The number says nothing of
person, time or order. It is no secret by itself: the PIN is (`clients.persons.consent_case`).
"""

from broker.protocol.errors import BadInput
from broker.protocol.messages.base import RandomBytes

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTVWXYZ"
LENGTH = 10
_GROUPS = ((0, 3), (3, 7), (7, 10))
_WORDS = {
    "2": "two",
    "3": "three",
    "4": "four",
    "5": "five",
    "6": "six",
    "7": "seven",
    "8": "eight",
    "9": "nine",
    "A": "Alfa",
    "B": "Bravo",
    "C": "Charlie",
    "D": "Delta",
    "E": "Echo",
    "F": "Foxtrot",
    "G": "Golf",
    "H": "Hotel",
    "J": "Juliett",
    "K": "Kilo",
    "L": "Lima",
    "M": "Mike",
    "N": "November",
    "P": "Papa",
    "Q": "Quebec",
    "R": "Romeo",
    "S": "Sierra",
    "T": "Tango",
    "V": "Victor",
    "W": "Whiskey",
    "X": "X-ray",
    "Y": "Yankee",
    "Z": "Zulu",
}
"""How each is said on the telephone (ICAO Annex 10, spelling alphabet)."""


def new(random_bytes: RandomBytes) -> str:
    """A fresh number, 10 characters without dashes."""
    drawn = draw(random_bytes, ALPHABET, LENGTH - 1)
    return drawn + _check(drawn)


def draw(random_bytes: RandomBytes, alphabet: str, length: int) -> str:
    """So many characters, each as likely as any other. The alphabet has at most 256."""
    found, bound = "", 256 - 256 % len(alphabet)
    while len(found) < length:
        (byte,) = random_bytes(1)
        if byte < bound:  # else some would be likelier
            found += alphabet[byte % len(alphabet)]
    return found


def parse(text: str) -> str:
    """A number as it was read out or typed, with dashes, spaces and small letters as they come.

    Returns its 10 characters. Raises BadInput, which does not repeat it."""
    number = "".join(text.upper().replace("-", "").split())
    if len(number) != LENGTH or any(each not in ALPHABET for each in number):
        raise BadInput(
            "A case number has 10 letters and digits, like K7Q-M2XH-FRT, and never 0, 1, I, O or U. Ask for it again."
        )
    if _check(number[:-1]) != number[-1]:
        raise BadInput(
            "A character of the case number is wrong, or two are swapped. Ask for it again, slowly."
        )
    return number


def shown(number: str) -> str:
    """The number in groups, as it is written down."""
    return "-".join(number[start:end] for start, end in _GROUPS)


def spoken(number: str) -> str:
    """The number as it is read out."""
    return ", ".join(" ".join(_WORDS[each] for each in number[start:end]) for start, end in _GROUPS)


def _check(drawn: str) -> str:
    # The whole number's weighted sum is nought modulo 31; the check character has the weight of -1.
    total = sum(weight * ALPHABET.index(each) for weight, each in enumerate(drawn, 1))
    return ALPHABET[total % len(ALPHABET)]
