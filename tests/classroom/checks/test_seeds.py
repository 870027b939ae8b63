"""What the public seed says of a mutant or of a right answer, all seeds say."""

from test_all import ALTERNATIVES, every_check

from diffusion_course.classroom.checks.engine import accepts, fixed_refuse


@every_check
def test_what_the_public_seed_says_all_seeds_say(exercise):
    for mutant in exercise.mutants:
        if not fixed_refuse(exercise, mutant.function):  # as every seed does
            public = accepts(exercise, mutant.function, fixed=False)
            assert_seeds_agree(exercise, mutant.function, mutant.hint, range(1, 101), public)
    # A right answer that some seed refuses is a matter of tolerances: many answers on some seeds show it as well as one on many.
    for answer in (exercise.reference, *ALTERNATIVES.get(exercise.id, ())):
        assert accepts(exercise, answer), f"{exercise.id} refuses {answer.__name__}: test_all.py says why"
        assert_seeds_agree(exercise, answer, "a right answer", range(1, 31), True)


def assert_seeds_agree(exercise, answer, words, seeds, public):
    """public: is it accepted on the public seed's random cases? The fixed ones are the same on every seed, and of a design nothing is drawn."""
    asked = seeds[:2] if exercise.score else seeds
    differ = [seed for seed in asked if accepts(exercise, answer, seed, fixed=False) != public]
    assert not differ, (
        f"{exercise.id}: {words}: {'accepted' if public else 'refused'} on the public seed, not on {differ}"
    )
