"""Points for a known mistake: named by its hint, and given only where the second look sees it made."""

import pytest

from diffusion_course.classroom import handout
from diffusion_course.classroom.checks import CHECKS, OPEN
from diffusion_course.classroom.checks.call import call, fresh
from diffusion_course.classroom.checks.engine import cases, result_fault
from diffusion_course.classroom.desk import shares
from diffusion_course.classroom.grading import marks, nbval_run, recheck
from diffusion_course.classroom.grading.assembly import Plan, Step
from diffusion_course.classroom.grading.finding import Answer
from diffusion_course.classroom.grading.nbval_run import Said, Trial
from diffusion_course.classroom.grading.reading import Cell
from diffusion_course.classroom.grading.recheck import Verdict
from diffusion_course.classroom.grading.results import State
from diffusion_course.classroom.grading.rules import Rules
from diffusion_course.classroom.grading.submissions import Submission
from diffusion_course.errors import CourseError

FIRST = handout.exercises(handout.read("01"))
SNR = CHECKS["01-snr"]
HINT = SNR.mutants[0].hint
RULES = Rules("s", shares={"01-snr": {HINT: 1}})


def test_a_piece_of_a_hint_names_the_mistake():
    assert shares.resolved({"01-snr": {HINT[3:25].upper(): 1}}, FIRST) == {"01-snr": {HINT: 1}}
    assert shares.resolved({}, FIRST) == shares.resolved({"03-eps_loss": {"a sum": 1}}, FIRST) == {}


def test_every_mistake_can_be_named_by_its_whole_hint_and_one_by_its_beginning():
    """Hints of two mistakes at once hold the hints of both."""
    third = handout.exercises(handout.read("03"))
    for exercise in third:
        for mutant in CHECKS[exercise].mutants:
            assert shares.resolved({exercise: {mutant.hint: 1}}, third) == {exercise: {mutant.hint: 1}}
    (hint,) = shares.resolved({"03-eps_loss": {"a sum: take the mean": 2}}, third)["03-eps_loss"]
    assert hint.startswith("a sum: take the mean over all entries")


@pytest.mark.parametrize(
    ("exercise", "told", "message"),
    [
        ("01-snr", {HINT[:9] + "zzzzzz": 1}, rf"no mistake has .* in its hint: did you mean '{HINT[:9]}"),
        (
            "01-snr",
            {"a": 1},
            r"'a' is in the hints of \d+ mistakes, as in '.*' and '.*'; write the beginning",
        ),
        ("01-snr", {HINT: 2}, "2 points for .*, want fewer than its 2"),
        ("01-snr", {HINT: 1, HINT[:-1]: 1}, "two of its shares are of one mistake"),
    ],
)
def test_a_faulty_share_is_one_line(exercise, told, message):
    with pytest.raises(CourseError, match=message) as caught:
        shares.resolved({exercise: told}, FIRST)
    assert "\n" not in str(caught.value)


def test_a_design_takes_no_shares():
    with pytest.raises(CourseError, match="04-even_betas is a design"):
        shares.resolved({"04-even_betas": {"x": 1}}, handout.exercises(handout.read("04")))


@pytest.mark.parametrize("task", OPEN)
def test_what_a_person_marks_takes_no_shares(task):
    with pytest.raises(CourseError, match=f"{task} is marked by a person"):
        shares.resolved({task: {"x": 1}}, handout.exercises(handout.read(task[:2])))


def agrees(asked, answer, case):
    fault = result_fault(asked, case, call(asked.driven(answer), fresh(case)).value, {})
    return not fault or recheck._leads_nowhere(asked, case)


def looks_like(check, answer, hint):
    drawn = cases(check, "s")
    return any(all(agrees(asked, answer, case) for case in drawn) for asked in recheck._asked(check, hint))


@pytest.mark.parametrize("exercise", ["01-snr", "06-cfg"])
def test_a_mistake_is_seen_from_outside_and_nothing_else_is_taken_for_it(exercise):
    check = CHECKS[exercise]
    for mutant in check.mutants[:3]:
        assert looks_like(check, mutant.function, mutant.hint), mutant.hint
        assert not looks_like(check, check.reference, mutant.hint)
    assert looks_like(check, check.reference, None)
    first, second = check.mutants[:2]
    assert not looks_like(check, first.function, second.hint)


def test_a_mistake_is_seen_in_each_of_its_forms_and_where_it_finds_nothing():
    check = CHECKS["14-verdict"]
    forms = [(mutant.hint, form) for mutant in check.mutants for form in mutant.others]
    assert forms
    for hint, form in forms:
        assert looks_like(check, form, hint), hint
    check = CHECKS["14-cheapest_plan"]
    for mutant in check.mutants[:6]:
        assert looks_like(check, mutant.function, mutant.hint), mutant.hint


def mark(verdict, said=None):
    steps = (Step("own", "def snr(a): ...", cell=0), Step("verdict", exercise="01-snr"))
    plan = Plan(steps, {"01-snr": frozenset([0])}, {"01-snr": frozenset([0])}, {"01-snr": frozenset()})
    run = Trial({"01-snr": said or Said("wrong", False, "m", "f", HINT)})
    return marks._mark(FIRST["01-snr"], Answer(0, (0,)), plan, run, verdict, RULES)


def test_a_known_mistake_gets_its_share_where_it_was_seen_twice():
    part = mark(Verdict())
    assert (part.points, part.state, part.hint, part.kind) == (1, State.PART, "m", HINT)
    for verdict in (None, Verdict("differs"), Verdict(uses="library"), Verdict(machine="no room")):
        assert (mark(verdict).points, mark(verdict).state) == (0, State.WRONG)
    assert mark(Verdict(), Said("wrong", False, "m", "f", SNR.mutants[1].hint)).points == 0


def test_who_makes_a_known_mistake_is_held_against_it_and_nobody_else_is(monkeypatch):
    asked = []

    def look(plan, exercises, *rest):
        asked.append((list(exercises), rest[-1]))
        return {}

    monkeypatch.setattr(recheck, "look", look)
    cells = tuple(Cell("code", f"def {e[3:]}(*a):\n    return 1") for e in ("01-snr", "01-diffuse"))
    found = {
        "01-snr": Said("wrong", False, "m", "f", HINT),
        "01-diffuse": Said("wrong", False, "m", "f", "x"),
    }
    monkeypatch.setattr(nbval_run, "run", lambda *_: Trial(found))
    marks.grade(Submission("ann", "01", "a.ipynb", "0", notebook=cells), handout.read("01"), RULES)
    assert asked == [(["01-snr"], {"01-snr": HINT})]
