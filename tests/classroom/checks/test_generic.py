"""Mutants that a tool made of each reference: refused on every seed, or shown to change nothing."""

import generic
import pytest
from test_all import every_check
from test_seeds import assert_all_seeds_agree

from diffusion_course.classroom.checks.engine import accepts, fixed_refuse


@every_check
def test_a_mutant_made_by_the_tool_is_refused_or_changes_nothing(exercise):
    if exercise.score:
        pytest.skip("another design is no mistake: its score says what it is worth")
    assert not generic.changes(exercise, exercise.reference)
    made = dict(generic.mutants(exercise))
    assert len(made) >= 50
    for words, mutant in made.items():
        if fixed_refuse(exercise, mutant):  # and so does every seed
            continue
        if accepts(exercise, mutant):
            changes = generic.changes(exercise, mutant)
            assert not changes, (
                f"{exercise.id} accepts {words}: add a `fixed` case that tells it, or narrow {generic.__file__}"
            )
            assert_all_seeds_agree(exercise, mutant, words, 2)  # a right answer, one of dozens
        else:
            assert_all_seeds_agree(exercise, mutant, words, 50)
