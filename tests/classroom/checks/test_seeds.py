"""What the public seed says of a mutant or of a right answer, all seeds say."""

from test_all import ALTERNATIVES, every_check

from diffusion_course.classroom.checks.engine import accepts, fixed_refuse


@every_check
def test_what_the_public_seed_says_all_seeds_say(exercise):
    for mutant in exercise.mutants:
        if not fixed_refuse(exercise, mutant.function):  # as every seed does
            assert_all_seeds_agree(exercise, mutant.function, mutant.hint, 100)
    for answer in (exercise.reference, *ALTERNATIVES.get(exercise.id, ())):
        assert accepts(exercise, answer)
        assert_all_seeds_agree(exercise, answer, "a right answer", 30 if exercise.dear else 100)


def assert_all_seeds_agree(exercise, answer, words, seeds):
    """On the random cases; the fixed ones are the same on every seed."""
    public = accepts(exercise, answer, fixed=False)
    differ = [seed for seed in range(1, seeds + 1) if accepts(exercise, answer, seed, fixed=False) != public]
    assert not differ, (
        f"{exercise.id}: {words}: {'accepted' if public else 'refused'} on the public seed, not on {differ}"
    )
