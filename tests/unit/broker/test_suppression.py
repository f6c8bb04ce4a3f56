"""What is told of numbers gives away no number that is not told, by no sum and no difference."""

import math
from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.suppression import Noise, Suppression, noise_of

LEAST = 5
HEADINGS = {
    "verdicts": ("admitted", "left_out", "refused"),
    "tiers": ("count", "hits", "sources", "payload"),
    "purposes": ("identify_victim", "locate_missing", "disrupt_advert"),
}
"""Closed lists, each of which parts the same requests: where sums and differences have most to say."""
Asked = tuple[str, ...]
"""One request: its name under each heading."""
Page = dict[tuple[str, str], int | None]
"""What is told of the total and of each name of each list."""

asked = st.lists(st.tuples(*(st.sampled_from(names) for names in HEADINGS.values())), max_size=40)
drawn = st.dictionaries(
    st.sampled_from(
        [("asked", ""), *((heading, name) for heading in HEADINGS for name in HEADINGS[heading])]
    ),
    st.integers(-30, 30),
)


def exact(requests: Iterable[Asked]) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for request in requests:
        found[("asked", "")] += 1
        for heading, name in zip(HEADINGS, request, strict=True):
            found[(heading, name)] += 1
    return found


def told(requests: list[Asked], noise: dict[tuple[str, str], int]) -> Page:
    """What a contributor would read, with this noise."""
    suppression = Suppression(LEAST, lambda heading, name: noise.get((heading, name), 0))
    page: Page = {("asked", ""): suppression.number("asked", "", len(requests))}
    for place, heading in enumerate(HEADINGS):
        cells = suppression.cells(heading, [request[place] for request in requests])
        page |= {(heading, name): cells.get(name) for name in HEADINGS[heading]}
    return page


def noise_that_tells(page: Page, requests: list[Asked]) -> dict[tuple[str, str], int]:
    """Noise, which comes with a chance above nought, under which these requests give that page; if there is any."""
    numbers = exact(requests)
    return {cell: (0 if number is None else number) - numbers[cell] for cell, number in page.items()}


def otherwise(requests: list[Asked], place: int, name: str, wanted: int) -> list[Asked]:
    """Requests that differ in one number alone where it falls, and in more of the same where it rises."""
    others = [each for each in HEADINGS[list(HEADINGS)[place]] if each != name]
    changed, here = [], 0
    for request in requests:
        here += request[place] == name
        moved = request[place] == name and here > wanted
        changed.append((*request[:place], others[0], *request[place + 1 :]) if moved else request)
    missing = wanted - sum(request[place] == name for request in changed)
    template = requests[0] if requests else tuple(names[0] for names in HEADINGS.values())
    return changed + [(*template[:place], name, *template[place + 1 :])] * missing


@settings(max_examples=150)
@given(requests=asked, noise=drawn)
def test_every_number_that_is_not_told_could_be_any_small_number(
    requests: list[Asked], noise: dict[tuple[str, str], int]
) -> None:
    """The proof: for each suppressed cell and each value below the least there are other requests, and noise that can
    come, under which the contributor reads the very same page. So the page, whole, determines none of them."""
    page = told(requests, noise)
    for place, heading in enumerate(HEADINGS):
        for name in HEADINGS[heading]:
            if page[(heading, name)] is not None:
                continue
            for value in range(LEAST):
                alternative = otherwise(requests, place, name, value)
                assert exact(alternative)[(heading, name)] == value
                assert told(alternative, noise_that_tells(page, alternative)) == page


@settings(max_examples=150)
@given(requests=asked, noise=drawn)
def test_no_number_below_the_least_is_told_and_all_others_are_multiples_of_it(
    requests: list[Asked], noise: dict[tuple[str, str], int]
) -> None:
    numbers = exact(requests)
    for cell, number in told(requests, noise).items():
        if number is not None:
            assert numbers[cell] >= LEAST
            assert number >= LEAST
            assert number % LEAST == 0


def test_rounding_alone_would_give_small_numbers_away() -> None:
    """Why there is noise: a total of 12 told as 10 leaves three cells below five hardly a choice."""
    names = HEADINGS["verdicts"]
    page = {"asked": 10, **dict.fromkeys(names)}

    def rounded(cells: tuple[int, ...]) -> dict[str, int | None]:
        suppression = Suppression(LEAST, lambda heading, name: 0)
        total = suppression.number("asked", "", sum(cells))
        return {"asked": total} | {
            name: suppression.number("verdicts", name, number)
            for name, number in zip(names, cells, strict=True)
        }

    fitting = [
        (a, b, c) for a in range(15) for b in range(15) for c in range(15) if rounded((a, b, c)) == page
    ]
    assert {min(cells) for cells in fitting} == {2, 3, 4}  # each of the three was asked: given away


# --- the noise ---


def _noise(month: str = "2026-09", epsilon_millis: int = 500, key: bytes = bytes(32)) -> Noise:
    return noise_of(key, epsilon_millis, bytes(16), bytes(32), month)


def test_counting_again_draws_the_same_and_anything_else_draws_anew() -> None:
    names = [f"name {number}" for number in range(50)]

    def drawn_for(noise: Noise, heading: str = "rules") -> list[int]:
        return [noise(heading, name) for name in names]

    first = drawn_for(_noise())
    assert drawn_for(_noise()) == first
    for other in (_noise("2026-10"), _noise(epsilon_millis=400), _noise(key=bytes([1]) * 32)):
        assert drawn_for(other) != first
    assert drawn_for(_noise(), "tiers") != first
    assert len(set(first)) > 5


@pytest.mark.parametrize("epsilon_millis", [500, 1000])
def test_noise_is_as_wide_as_is_stated(epsilon_millis: int) -> None:
    """docs/threat-model.md: within 5 in 94 of 100 at the default."""
    noise = _noise(epsilon_millis=epsilon_millis)
    values = [noise("rules", str(number)) for number in range(4000)]
    alpha = math.exp(-epsilon_millis / 1000)
    stated = 1 - 2 * alpha**6 / (1 + alpha)
    assert sum(abs(value) <= 5 for value in values) / len(values) == pytest.approx(stated, abs=0.02)
    assert sum(values) / len(values) == pytest.approx(0, abs=0.2)
