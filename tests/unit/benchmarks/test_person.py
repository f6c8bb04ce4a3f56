"""The benchmark of persons: equal seeds give equal lists, and it counts what it says it counts."""

from benchmarks.person import measured
from benchmarks.person_lists import Made, persons
from clients.identifiers import canonicalise


def test_equal_seeds_give_equal_lists_of_people_who_are_not_born_yet() -> None:
    made = persons(100, 3)
    assert made == persons(100, 3)
    assert made != persons(100, 4)
    assert all(
        2050 <= int(text.split("; ")[1][:4]) <= 2099 for each in made for text in (each.held, each.asked)
    )


def test_a_longer_list_of_spellings_finds_no_fewer_persons() -> None:
    results = measured(persons(60, 6), 30, (1, 10, 40))
    found = [result.found.total() for result in results.values()]
    assert found == sorted(found)
    assert 0 < found[0] < found[-1] <= 30
    assert results[1].asked == 30


def test_persons_found_strangers_and_namesakes_are_told_apart() -> None:
    made = [
        Made("German", "Anna Riesberg; 2050-05-06", "Riesberg Anna; 2050-05-06"),
        Made("German", "Anna Riesberg; 2050-05-06", "Paul Hofner; 2050-05-06"),
        Made("German", "Anna Riesberg; 2061-07-08", "Anna Riesberg; 2061-07-09"),
        Made("German", "Anna dit Riesberg; 2061-07-08", "Anna dit Riesberg; 2061-07-08"),
    ]
    assert canonicalise("person", made[0].held).text == canonicalise("person", made[0].asked).text
    result = measured(made, 4, (1,))[1]
    assert (result.asked, result.found.total()) == (3, 1)
    # The first query meets the second record, of another person; by name it and the third ask meet three each.
    assert (result.strangers, result.namesakes) == (1, 2 + 0 + 3)
