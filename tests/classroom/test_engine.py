"""The check engine on a toy exercise: every kind of mistake is named in words, and nothing leaks out."""

import re
import subprocess
import sys
import textwrap
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from shared import add_exercise

from diffusion_course.classroom import checks
from diffusion_course.classroom.checks import (
    Check,
    CheckFailed,
    Mutant,
    NotDone,
    check,
    check_all,
    diagnose,
    examine,
)
from diffusion_course.classroom.checks.engine import cases
from diffusion_course.classroom.checks.inputs import PLANS, Draw, column
from diffusion_course.classroom.checks.suppose import supposition
from diffusion_course.errors import CourseError


def scale(x, t, betas):
    return column(betas[t - 1], x) * x


SCALE = Check(
    id="00-scale",
    points=1,
    minutes=1,
    level=1,
    reference=scale,
    inputs=lambda d: (d.x(), d.t(), d.betas()),
    where="y = beta_t x.",
    outputs=("y",),
    grad=("x",),
    mutants=[
        Mutant("a division: multiply.", lambda x, t, betas: x / column(betas[t - 1], x)),
        Mutant("betas[t]: beta_t is betas[t - 1].", lambda x, t, betas: scale(x, t + 1, betas)),
        Mutant(
            "a root at t = 1.",
            lambda x, t, betas: column(torch.where(t == 1, betas[0] ** 0.5, betas[t - 1]), x) * x,
        ),
    ],
)
PAIR = Check(
    id="00-pair",
    points=1,
    minutes=1,
    level=1,
    reference=lambda x: (x + 1, x - 1),
    inputs=lambda d: (d.x(),),
    where="(x + 1, x - 1).",
    outputs=("up", "down"),
    mutants=[],
)


def message(exercise, answer, seed=0):
    with pytest.raises(CheckFailed) as caught:
        examine(exercise, answer, seed)
    return str(caught.value)


# ---- right answers


@pytest.mark.parametrize(
    "answer",
    [
        scale,
        lambda x, t, betas: torch.stack([betas[i - 1] * row for i, row in zip(t, x, strict=True)]),
        lambda a, b, c: (a.mT if a.ndim == 2 else a.movedim(0, -1)).mul(c[b - 1]).movedim(-1, 0),
        torch.enable_grad()(scale),
    ],
    ids=["reference", "loop", "other names and axes", "decorated"],
)
@pytest.mark.parametrize("seed", [0, 1, "a student's own seed"])
def test_a_right_answer_passes_by_any_formula(answer, seed):
    examine(SCALE, answer, seed)


def test_one_fixed_line_when_all_is_right(monkeypatch, capsys):
    add_exercise(monkeypatch, SCALE)
    assert check("00-scale", scale) is None
    assert capsys.readouterr().out == "00-scale: correct, 1 point\n"


def test_an_edition_says_its_own_points(monkeypatch, capsys):
    add_exercise(monkeypatch, SCALE)
    monkeypatch.setattr(checks, "_found", {})
    monkeypatch.setattr(checks, "_worth", {})
    check("00-scale", scale, points=5)
    assert capsys.readouterr().out == "00-scale: correct, 5 points\n"
    check_all()  # which was not told the points, and has them from the check
    assert capsys.readouterr().out.splitlines()[:2] == ["00-scale   5 of  5", "total      5 of  5"]


@pytest.mark.parametrize("points", [0, -1, 2.0, True, "3"])
def test_points_that_are_no_whole_number_are_refused(monkeypatch, points):
    add_exercise(monkeypatch, SCALE)
    monkeypatch.setattr(checks, "_found", {})
    with pytest.raises(CourseError, match=rf"^points: got {points!r}, want an integer >= 1$"):
        check("00-scale", scale, points=points)
    with pytest.raises(CourseError, match=rf"^points of 00-scale: got {points!r}, want an integer >= 1$"):
        check_all({"00-scale": points})
    assert checks._found == {}


def test_what_a_right_answer_prints_is_not_shown(monkeypatch, capsys):
    def chatty(x, t, betas):
        print("debug")
        return scale(x, t, betas)

    examine(SCALE, chatty)
    assert capsys.readouterr() == ("", "")


def test_what_a_wrong_answer_prints_is_shown_once(capsys):
    def chatty(x, t, betas):
        print("debug")
        return 2 * x

    message(SCALE, chatty)
    assert capsys.readouterr().out == "debug\n"


# ---- mutants


@pytest.mark.parametrize("mutant", SCALE.mutants, ids=lambda m: m.hint)
def test_a_mutant_gets_its_own_hint(mutant):
    for seed in range(5):
        assert message(SCALE, mutant.function, seed).endswith(f"This looks like {mutant.hint}")


def test_a_mistake_no_mutant_knows_gets_the_formula():
    text = message(SCALE, lambda x, t, betas: column(betas[t - 1], x) + x)
    assert text.startswith("00-scale: y[")
    assert "entries are off)" in text
    assert text.endswith("Look at y = beta_t x.")


def test_the_message_names_the_numbers_the_inputs_and_the_times():
    def wrong_at_one(x, t, betas):
        return torch.where(column(t == 1, x), 0.0, scale(x, t, betas))

    text = message(SCALE, wrong_at_one)
    assert " is 0, want " in text
    assert "all where t = 1)" in text
    assert "Inputs: x (" in text
    assert "float64" in text


# ---- every other way to be wrong, each in words


def in_place(x, t, betas):
    x *= column(betas[t - 1], x)
    return x.clone()


def in_place_on_the_side(x, t, betas):
    result = scale(x, t, betas)
    t[0] = 1 if t[0] > 1 else 2
    return result


def global_noise(x, t, betas):
    return scale(x, t, betas) + 0 * torch.randn_like(x)


def leaves_grad_mode_off(x, t, betas):
    torch.set_grad_enabled(False)
    return scale(x, t, betas)


def leaves_a_default_dtype(x, t, betas):
    torch.set_default_dtype(torch.float64)
    return scale(x, t, betas)


def half_detached(x, t, betas):
    y = scale(x, t, betas)
    return torch.cat([y[:, :1], y[:, 1:].detach()], 1)


def breaks_inside(x, t, betas):
    factor = betas[t - 1]
    return x.reshape(7, 7, 7, 7) * factor


GUARDS = {
    "a number, not a function": (3.0, "got float, want the function itself"),
    "a result, not a function": (torch.ones(2), 'without calling it: check("00-scale", scale)'),
    "too few arguments": (lambda x, t: x, "takes (x, t), want the arguments (x, t, betas)"),
    "too many arguments": (lambda x, t, betas, y: x, "takes (x, t, betas, y), want the arguments"),
    "another order": (lambda t, x, betas: x, "takes (t, x, betas), want the order (x, t, betas)"),
    "no return": (lambda x, t, betas: None, "y is None (is the `return` missing?), want a tensor of shape ("),
    "numpy": (lambda x, t, betas: scale(x, t, betas).numpy(), "y is a NumPy array; stay in torch"),
    "a Python number": (lambda x, t, betas: scale(x, t, betas).sum().item(), "y is a Python number"),
    "a tuple": (lambda x, t, betas: (x, t), "y is a tuple of 2, want a tensor"),
    "another type": (lambda x, t, betas: "x", "y is of type str"),
    "swapped axes": (lambda x, t, betas: scale(x, t, betas).movedim(0, -1), "two axes are swapped"),
    "an axis too many": (
        lambda x, t, betas: torch.stack([scale(x, t, betas)] * 11, -1),
        "an axis of 11 too many",
    ),
    "flat": (
        lambda x, t, betas: torch.stack([scale(x, t, betas).flatten()]),
        "the same entries, reshape them",
    ),
    "reduced": (lambda x, t, betas: scale(x, t, betas).mean(), "y has shape (), want ("),
    "broadcast": (
        lambda x, t, betas: x[None] * betas[t - 1].reshape(-1, *[1] * x.ndim),
        "broadcasting made it larger",
    ),
    "dtype": (
        lambda x, t, betas: scale(x, t, betas).float(),
        "y has dtype float32, want float64, the dtype of the inputs",
    ),
    "device": (lambda x, t, betas: scale(x, t, betas).to("meta"), "y is on meta, want cpu"),
    "NaN": (lambda x, t, betas: scale(x, t, betas).log(), "y holds NaN in "),
    "infinity": (lambda x, t, betas: scale(x, t, betas) / 0, "y holds infinity in "),
    "in place": (in_place, "changed its argument x in place"),
    "in place, not used": (in_place_on_the_side, "changed its argument t in place"),
    "global noise": (global_noise, "the function changed torch's global random state"),
    "grad mode": (leaves_grad_mode_off, "the function changed torch's grad mode"),
    "default dtype": (leaves_a_default_dtype, "the function changed torch's default dtype"),
    "detached": (
        lambda x, t, betas: scale(x.detach(), t, betas),
        "no gradient flows back to x: .detach(), .item()",
    ),
    "no_grad": (torch.no_grad()(scale), "no gradient flows back to x"),
    "half detached": (half_detached, "the result is right, but its gradient with respect to x differs: at ["),
    "error": (breaks_inside, "your function stopped with RuntimeError: shape '[7, 7, 7, 7]' is invalid"),
}


@pytest.mark.parametrize("name", GUARDS)
def test_a_guard_speaks(name):
    answer, words = GUARDS[name]
    assert words in message(SCALE, answer)


def test_an_error_names_the_students_own_line():
    text = message(SCALE, breaks_inside)
    assert "`return x.reshape(7, 7, 7, 7) * factor`" in text
    assert f"in line {breaks_inside.__code__.co_firstlineno + 2}: " in text


def test_an_error_of_shapes_names_the_shape_and_one_of_dtypes_the_dtype():
    told = message(SCALE, lambda x, t, betas: x * betas[t - 1])
    assert "such as a table read at t, (B,), needs the shape (B, 1, ..., 1), as many axes as x" in told

    def half_way(x, t, betas):
        return torch.lerp(torch.zeros_like(x), x, column(torch.tensor(betas[t - 1].tolist()), x))

    assert "Two dtypes meet" in message(SCALE, half_way)


def test_a_tensor_made_in_float32_is_told_however_few_digits_are_left():
    assert "float32 on the way" in message(PAIR, lambda x: (x + torch.tensor([1 / 3]) + 2 / 3, x - 1))
    assert "float32 on the way" not in message(PAIR, lambda x: (x + torch.tensor([1 / 3]), x - 1))


def table_of(first=lambda b: b, last=lambda b: b):
    """A running product of a table, whose first and last entries an answer may take from elsewhere."""
    return lambda betas: torch.cat([first(betas)[:1], betas.cumprod(0)[1:-1] * 2, last(betas)[-1:]])


TABLE = Check(
    id="00-table",
    points=1,
    minutes=1,
    level=1,
    reference=table_of(lambda b: b * 3, lambda b: b.cumprod(0) * 2),
    inputs=lambda d: (d.betas(),),
    where="the product.",
    mutants=[],
)


def test_entries_that_are_those_of_an_argument_are_told_and_not_called_rounded():
    assert "Entry 0 is the first of the argument betas." in message(
        TABLE, table_of(last=lambda b: b.cumprod(0) * 2)
    )
    told = message(TABLE, table_of(lambda b: b * 3))
    assert "The last entry is the last of the argument betas." in told
    tenths = replace(TABLE, inputs=lambda d: (d.betas().round(decimals=1) + 0.1,))
    told = message(tenths, lambda betas: betas.roll(2))
    assert "rounded" not in told


SHOWN = Check(
    id="00-shown",
    points=1,
    minutes=1,
    level=1,
    reference=lambda model, x, other, t: 2 * model(x + other, t),
    inputs=lambda d: (d.eps_model(), d.x(), d.x(), d.t()),
    where="2 model(x + other, t).",
    mutants=[],
)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda model, x, other, t: 2 * model(other, t) - x, "shows eps_model other in the place of x"),
        (
            lambda model, x, other, t: 2 * model(x + other, t % 5 + 1),
            r"shows eps_model times \[.*\], want \[.*\]\.",
        ),
        (
            lambda model, x, other, t: 2 * model(x + 1.5 * other.sin(), t),
            r"shows eps_model a wrong x: x\[.*\] is",
        ),
        (
            lambda model, x, other, t: 3 * model(x + other, t),
            "every entry is 3/2 times|Every entry is 3/2 times",
        ),
    ],
)
def test_what_a_model_was_shown_is_told(answer, words):
    assert re.search(words, message(SHOWN, answer))


def test_a_model_asked_twice_is_not_compared():
    told = message(SHOWN, lambda model, x, other, t: model(x, t) + model(other, t))
    assert "Your function shows" not in told


def test_two_mistakes_are_told_only_where_they_explain_the_other_cases_too():
    check = replace(PAIR, reference=lambda x, other: x * other, outputs=("y",))
    pairs = [(x, x.roll(1, -1)) for x in (Draw("00-pair", seed, 0).x() for seed in range(3))]
    wrong = [((x, other), x**2 * other.exp()) for x, other in pairs]
    assert "x^2 in the place of x and with exp other" in supposition(check, wrong)
    assert supposition(check, wrong[:2], [(pairs[2], pairs[2][0] * pairs[2][1])]) == ""


def test_results_that_differ_between_calls():
    calls = iter(range(1000))
    text = message(SCALE, lambda x, t, betas: scale(x, t, betas) * (1 if next(calls) % 2 == 0 else 2))
    assert "two calls with equal inputs gave different results" in text


def test_an_error_only_with_gradients():
    text = message(SCALE, lambda x, t, betas: torch.from_numpy(scale(x, t, betas).numpy()))
    assert (
        "with inputs that record gradients, your function stopped with RuntimeError: Can't call numpy()"
        in text
    )
    assert "trained through what you return: stay in torch." in text


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x: x + 1, "the function returned one tensor of shape ("),
        (lambda x: (x + 1, x - 1, x), "the function returned 3 values, want 2: (up, down)"),
        (lambda x: (x - 1, x + 1), "the results are in the wrong order, want (up, down)"),
        (lambda x: (x - 2, x + 1), "up["),
        (lambda x: (x + 1, None), "down is None"),
    ],
)
def test_several_results(answer, words):
    examine(PAIR, PAIR.reference)
    examine(PAIR, lambda x: [x + 1, x - 1])
    assert words in message(PAIR, answer)


def test_a_model_called_without_a_time_for_each_sample():
    exercise = Check(
        "00-model", 1, 1, 1, lambda m, x, t: m(x, t), lambda d: (d.eps_model(), d.x(), d.t()), "", []
    )
    examine(exercise, exercise.reference)
    assert "eps_model got t = 3; it takes a tensor of shape (" in message(exercise, lambda m, x, t: m(x, 3))
    assert "eps_model got t of shape (); it takes shape (" in message(exercise, lambda m, x, t: m(x, t[0]))

    def train_inside(m, x, t):
        m.weights.data += 1
        return m(x, t)

    assert "changed its argument m in place" in message(exercise, train_inside)


def test_an_integer_result_must_be_equal():
    exercise = Check("00-count", 1, 1, 1, lambda x, t: 2 * t, lambda d: (d.x(), d.t()), "", [])
    examine(exercise, lambda x, t: t + t)
    assert "result[" in message(exercise, lambda x, t: 2 * t + 1)


# ---- unfinished and unknown


def test_a_stub_is_not_done_rather_than_wrong():
    def stub(x, t, betas):
        raise NotImplementedError("write me")

    with pytest.raises(NotDone, match="00-scale is not written yet: fill in the function above") as caught:
        examine(SCALE, stub)
    assert isinstance(caught.value, CourseError)
    assert isinstance(caught.value, NotImplementedError)


def test_torchs_own_not_implemented_error_is_a_mistake():
    def half_exponent(x, t, betas):
        return torch.zeros(2, dtype=torch.long).normal_() + x

    assert "your function stopped with NotImplementedError" in message(SCALE, half_exponent)


def test_an_unknown_exercise_names_the_nearest():
    with pytest.raises(CourseError, match=r"unknown exercise .01-difuse.: did you mean .01-diffuse.[?]"):
        check("01-difuse", scale)


# ---- nothing leaks


@pytest.mark.parametrize(
    "answer", [scale, in_place, global_noise, leaves_grad_mode_off, leaves_a_default_dtype]
)
def test_global_state_is_restored(answer):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    with torch.no_grad():
        torch.set_default_dtype(torch.float64)
        try:
            examine(SCALE, answer)
        except CheckFailed:
            pass
        finally:
            dtype = torch.get_default_dtype()
            torch.set_default_dtype(torch.float32)
        assert not torch.is_grad_enabled()
    assert dtype == torch.float64
    assert torch.equal(torch.get_rng_state(), before)


# ---- the inputs


@settings(max_examples=200, deadline=None)
@given(seed=st.integers() | st.text(), index=st.integers(0, len(PLANS) - 1), extra=st.integers(0, 2))
def test_no_two_sizes_are_equal_but_in_the_square_case(seed, index, extra):
    d = Draw("00-any", seed, index)
    event = d.event[: -1 if PLANS[index].square else None]
    assert PLANS[index].square == (d.event[-1] == d.B)
    sizes = [d.T, d.B, *event, *(d.size() for _ in range(extra))]
    assert len(set(sizes)) == len(sizes)
    assert d.x().shape == (d.B, *d.event)
    assert d.T - 1 not in sizes  # a table of differences cannot pass for another axis either
    assert d.T + 1 not in sizes


@given(seed=st.integers())
@settings(max_examples=50, deadline=None)
def test_times_meet_both_ends_and_tables_are_a_schedule(seed):
    ends = {"first": 0, "last": 0}
    for index, plan in enumerate(PLANS):
        d = Draw("00-any", seed, index)
        t, step, betas, alpha_bar = d.t(), d.step(), d.betas(), d.alpha_bar()
        assert t.shape == (d.B,)
        assert t.dtype == torch.int64
        assert (t >= 1).all()
        assert (t <= d.T).all()
        if plan.edge:
            end = 1 if plan.edge == "first" else d.T
            assert end in t
            assert step == end
            ends[plan.edge] += 1
        else:
            assert 1 < step < d.T
            assert bool(((t > 1) & (t < d.T)).all())
        assert betas.shape == alpha_bar.shape == (d.T,)
        assert bool(((betas > 0) & (betas < 1)).all())
        assert bool((alpha_bar.diff() < 0).all())
        assert betas.dtype == plan.dtype
    assert min(ends.values()) >= 1


def test_cases_cover_both_dtypes_batch_one_and_several_ranks():
    args = list(cases(SCALE, 0))
    assert {x.dtype for x, _, _ in args} == {torch.float32, torch.float64}
    assert {x.ndim for x, _, _ in args} == {2, 3, 4}
    assert 1 in {len(x) for x, _, _ in args}
    again = list(cases(SCALE, 0))
    assert all(
        torch.equal(a, b) for one, two in zip(args, again, strict=True) for a, b in zip(one, two, strict=True)
    )
    other = list(cases(SCALE, 1))
    assert any(a.shape != b.shape for (a, *_), (b, *_) in zip(args, other, strict=True))


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cases_on_the_gpu_hold_the_same_numbers():
    for here, there in zip(cases(SCALE, 0), cases(SCALE, 0, "cuda"), strict=True):
        assert all(b.is_cuda and torch.equal(a, b.cpu()) for a, b in zip(here, there, strict=True))
    assert "y is on cpu, want cuda" in message(SCALE, lambda x, t, betas: scale(x, t, betas).cpu())


# ---- in a notebook


def test_check_all_prints_the_points_of_the_chapters_seen(monkeypatch, capsys):
    monkeypatch.setattr(checks, "_found", {})
    check_all()
    assert "No exercise has been checked yet" in capsys.readouterr().out
    for exercise in (SCALE, PAIR, replace(PAIR, id="00-third"), replace(PAIR, id="09-far")):
        add_exercise(monkeypatch, exercise)
    check("00-scale", scale)
    with pytest.raises(CheckFailed):
        check("00-pair", lambda x: x)
    capsys.readouterr()
    check_all()
    assert capsys.readouterr().out == textwrap.dedent("""\
        00-scale   1 of  1
        00-pair    0 of  1  not right yet
        00-third   0 of  1  not checked yet
        total      1 of  3
        Grading runs these checks again in a fresh kernel, on hidden seeds: other random inputs than here.
        """)


def test_check_all_of_an_edition_lists_exactly_its_exercises(monkeypatch, capsys):
    for exercise in (SCALE, PAIR, replace(PAIR, id="00-third"), replace(PAIR, id="09-far")):
        add_exercise(monkeypatch, exercise)
    monkeypatch.setattr(checks, "_found", {})
    monkeypatch.setattr(checks, "_worth", {})
    check("00-scale", scale, points=3)
    check("00-pair", PAIR.reference)
    capsys.readouterr()
    check_all({"09-far": 2, "00-scale": 12})
    assert capsys.readouterr().out == textwrap.dedent("""\
        09-far     0 of  2  not checked yet
        00-scale  12 of 12
        total     12 of 14
        Grading runs these checks again in a fresh kernel, on hidden seeds: other random inputs than here.
        """)
    check_all({})
    assert capsys.readouterr().out == "In this edition the chapter has no exercise.\n"
    with pytest.raises(CourseError, match="unknown exercise '01-snrr': did you mean '01-snr'"):
        check_all({"01-snrr": 1})


def test_a_chapter_that_is_read_late_is_as_it_would_have_been_early():
    """Its checks are made when one is asked for, and by then a notebook may have changed what torch makes of a tensor."""
    program = (
        "import torch\n"
        "from diffusion_course.classroom.checks import CHECKS, examine\n"
        "torch.set_default_dtype(torch.float64), torch.set_default_device('meta'), torch.manual_seed(3)\n"
        "before = torch.get_rng_state()\n"
        "with torch.inference_mode():\n"
        "    assert len(list(CHECKS)) > 60\n"
        "assert torch.equal(torch.get_rng_state(), before) and torch.get_default_dtype() == torch.float64\n"
        "torch.set_default_dtype(torch.float32), torch.set_default_device('cpu')\n"
        "for name in ('02-bound', '05-hybrid_loss', '12-dit_block'):\n"
        "    examine(CHECKS[name], CHECKS[name].reference)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_notebook_needs_only_torch_to_check():
    program = (
        "import sys, diffusion_course.classroom\n"
        "print([m for m in ('nbformat', 'nbval', 'jupytext', 'matplotlib', 'torchvision') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


# ---- a machine: a path is judged at its first wrong state


def walk(x, betas):
    return torch.stack([x, *(x * column(b, x) for b in betas.cumprod(0)[:, None])])


WALK = Check(
    id="00-walk",
    points=1,
    minutes=1,
    level=1,
    reference=walk,
    inputs=lambda d: (d.x(), d.betas()),
    where="x_t = beta_t x_{t-1}.",
    path="x_{}",
    mutants=[
        Mutant("a step that is not taken.", lambda x, b: walk(x, torch.where(b == b[3], 1, b))),
        Mutant("betas turned round.", lambda x, b: walk(x, b.flip(0))),
    ],
)


def changed_from(first, change, function=walk):
    """The states of a walk, those from number `first` on changed."""

    def answer(x, betas):
        states = function(x, betas)
        return torch.cat([states[:first], change(states[first:])])

    return answer


def test_a_wrong_loop_is_told_at_the_first_step_that_leaves_the_path():
    text = message(WALK, changed_from(4, lambda v: v + 1))
    assert text.startswith("00-walk: right up to x_3; then x_4[")
    assert "Every entry of the first wrong state is 1 too large.\nLook at" in text
    assert message(WALK, changed_from(0, lambda v: v + 1)).startswith("00-walk: x_0[")
    text = message(WALK, changed_from(5, lambda v: v * float("nan")))
    assert text.startswith("00-walk: right up to x_4; then x_5 holds NaN in ")


def test_a_mutant_is_recognised_by_where_it_leaves_the_path_whatever_comes_later():
    first, second = WALK.mutants
    two = changed_from(6, lambda v: 3 * v, first.function)
    assert message(WALK, two).endswith(f"\nAt the first wrong state this looks like {first.hint}")
    assert message(WALK, changed_from(1, lambda v: 3 * v, second.function)).endswith(f"Look at {WALK.where}")


def test_a_path_with_a_state_too_few_or_in_a_list_is_told():
    assert ": one entry too few" in message(WALK, lambda x, b: walk(x, b)[1:])
    assert "make one tensor of it, as torch.stack does" in message(WALK, lambda x, b: list(walk(x, b)))


def test_a_mutant_is_asked_once_a_case_and_one_exercises_are_kept():
    """However many answers are refused; of all exercises it filled the memory that a submission has."""
    asked = []

    def mutant(x, t, betas):
        asked.append(1)
        return 3 * x

    first = replace(SCALE, id="00-first", mutants=[Mutant("a 3 in place of beta_t.", mutant), *SCALE.mutants])
    counts = []
    for _ in range(2):
        with pytest.raises(CheckFailed, match=r"This looks like a 3 in place of beta_t\."):
            examine(first, lambda x, t, betas: 3 * x)
        counts.append(len(asked))
    assert counts[0] == counts[1] > 0
    with pytest.raises(CheckFailed):
        examine(SCALE, lambda x, t, betas: 5 * x)
    assert {key[1] for key in diagnose._known.done} == {m.function for m in SCALE.mutants}
    assert not any(getattr(value, "requires_grad", False) for value, _, _ in diagnose._known.done.values())
