"""The student's own cells, and what of them answers an exercise."""

import pytest
from planted import ALPHA_BAR, DIFFUSE, RIGHT, SNR, WRONG

from diffusion_course.classroom import handout
from diffusion_course.classroom.grading import finding
from diffusion_course.classroom.grading.reading import Cell

PRISTINE = handout.read("01")
BLANK = {e: x.blank for e, x in handout.exercises(PRISTINE).items()}


def cells(*sources):
    """The chapter as it was handed out, and cells of these sources (or (source, when it ran)) below it."""
    handed = [Cell("code" if c.cell_type == "code" else "markdown", c.source) for c in PRISTINE.cells]
    more = [Cell("code", s) if isinstance(s, str) else Cell("code", s[0], ran=s[1]) for s in sources]
    return [*handed, *more]


def find(*sources):
    made = cells(*sources)
    found = finding.find(made, PRISTINE)
    return found, [made[n].source for n in found.own], made


def test_what_was_handed_out_is_nobodys_own():
    found, own, _ = find()
    assert own == []
    assert {e: a.definers for e, a in found.answers.items()} == dict.fromkeys(BLANK, ())


def test_calls_of_the_checks_and_blank_cells_are_not_the_students_own():
    _, own, _ = find('check("01-snr", snr)  # again', "check_all()", "", "  \n", BLANK[SNR] + "\n\n")
    assert own == []


@pytest.mark.parametrize(
    "source",
    [
        RIGHT[SNR],
        f"# exercise {SNR}\n{RIGHT[SNR]}",
        "snr = lambda a: a / (1 - a)",
        "from mine import snr",
        f"%%time\n{RIGHT[SNR]}",
        "def snr(a:\n    return a",
        "if True:\n    def snr(a):\n        return a / (1 - a)",
    ],
)
def test_a_function_is_found_by_its_name(source):
    found, own, made = find(source)
    assert own == [source]
    assert [made[n].source for n in found.answers[SNR].definers] == [source]


@pytest.mark.parametrize(
    ("sources", "counts"),
    [
        ([WRONG, RIGHT[SNR]], 1),
        ([(WRONG, 9), (RIGHT[SNR], 3)], 0),
        ([(WRONG, 9), (RIGHT[SNR], 0)], 0),
        ([(RIGHT[SNR], 3), (BLANK[SNR] + "\n# later", 9)], 0),
    ],
)
def test_of_several_definitions_the_last_that_ran_counts(sources, counts):
    found, _, made = find(*sources)
    chosen = sources[counts] if isinstance(sources[counts], str) else sources[counts][0]
    assert [made[n].source for n in found.answers[SNR].definers] == [chosen]
    assert found.answers[SNR].several == (len({str(s) for s in sources}) > 1 and "later" not in str(sources))


def test_the_same_definition_twice_is_nothing_to_tell():
    found, *_ = find(RIGHT[SNR], f"{RIGHT[SNR]}  # again\nprint(snr)")
    assert not found.answers[SNR].several
    assert finding.answers(cells(RIGHT[SNR], RIGHT[SNR] + " # b"))[1] == []


def test_what_goes_on_with_the_function_belongs_to_it():
    found, _, made = find(RIGHT[SNR], "print(1)", "snr = torch.no_grad()(snr)")
    assert [made[n].source for n in found.answers[SNR].definers] == [RIGHT[SNR], "snr = torch.no_grad()(snr)"]


def test_what_was_written_and_defines_nothing_is_told():
    made = [c for c in cells() if c.source != BLANK[SNR]]
    made.append(Cell("code", f"# EXERCISE {SNR} (keep this line)\nratio = 1"))
    found, notes = finding.answers(made)
    assert notes == [f"exercise {SNR} was written in, but no cell defines snr"]
    assert found[SNR] == len(made) - 1


def test_a_notebook_without_any_mark_is_known_by_its_cells_and_functions():
    made = [Cell("code", RIGHT[e]) for e in (ALPHA_BAR, DIFFUSE, SNR)]
    assert finding.answers(made) == ({ALPHA_BAR: 0, DIFFUSE: 1, SNR: 2}, [])
    assert finding.answers([Cell("code", "print(1)")]) == ({}, [])
