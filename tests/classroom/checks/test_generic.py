"""Mutants that a tool made, and every mutant on many seeds: what the public seed accepts, all seeds accept."""

import generic
from test_all import ALTERNATIVES, every_check

from diffusion_course.classroom.checks.engine import accepts, fixed_refuse


@every_check
def test_a_mutant_made_by_the_tool_is_refused_or_changes_nothing(exercise):
    assert not generic.changes(exercise, exercise.reference)
    made = dict(generic.mutants(exercise))
    assert len(made) >= 50
    for words, mutant in made.items():
        if not fixed_refuse(exercise, mutant):  # which are the same on every seed
            assert_all_seeds_agree(exercise, mutant, words, 50)
            if accepts(exercise, mutant):
                assert not generic.changes(exercise, mutant), f"{exercise.id} accepts {words}"


@every_check
def test_what_the_public_seed_says_all_seeds_say(exercise):
    for mutant in exercise.mutants:
        if not fixed_refuse(exercise, mutant.function):
            assert_all_seeds_agree(exercise, mutant.function, mutant.hint, 20)
    for answer in (exercise.reference, *ALTERNATIVES.get(exercise.id, ())):
        assert accepts(exercise, answer)
        assert_all_seeds_agree(exercise, answer, "a right answer", 100)


def assert_all_seeds_agree(exercise, answer, words, seeds):
    public = accepts(exercise, answer)
    differ = [seed for seed in range(1, seeds + 1) if accepts(exercise, answer, seed) != public]
    assert not differ, (
        f"{exercise.id}: {words}: {'accepted' if public else 'refused'} on the public seed, not on {differ}"
    )
