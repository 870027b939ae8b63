"""Mutants that a tool made of each reference: refused on every seed, or shown to change nothing."""

import generic
import pytest
from test_all import every_check
from test_seeds import assert_seeds_agree

from diffusion_course.classroom.checks.engine import accepts, fixed_refuse

SEEDS = 50


@every_check
def test_a_mutant_made_by_the_tool_is_refused_or_changes_nothing(exercise):
    if exercise.score:
        pytest.skip("another design is no mistake: its score says what it is worth")
    assert not generic.changes(exercise, exercise.reference)
    made = dict(generic.mutants(exercise))
    assert len(made) >= 50
    for number, (words, mutant) in enumerate(made.items()):
        if fixed_refuse(exercise, mutant):  # and so does every seed
            continue
        public, seeds = accepts(exercise, mutant, fixed=False), range(1, SEEDS + 1)
        # Of the fixed cases only their gradients are left to ask.
        if public and (not exercise.grad or accepts(exercise, mutant)):
            changes = generic.changes(exercise, mutant)
            assert not changes, (
                f"{exercise.id} accepts {words}: add a `fixed` case that tells it, or narrow {generic.__file__}"
            )
            # A right answer, one of dozens: each asks two seeds, others than the last one.
            seeds = [1 + n % SEEDS for n in (2 * number, 2 * number + 1)]
        assert_seeds_agree(exercise, mutant, words, seeds, public)
