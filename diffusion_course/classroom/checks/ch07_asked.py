"""What a test of steps asked, and what it overlooked: the steps write down their inputs and what they returned."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from .call import call
from .ch07_ddim import ddim_step, kept
from .ch07_steps import Specimens
from .toy_steps import Each, ToyStep

SEEN = 1e-3  # relative: an error that a test of float64 numbers must not let pass
FEW = 3  # wrong steps that a test takes for right ones, where it may compare with one of them
USUAL = 5.0  # data are in -1..1, and a guess that is clipped far outside shows beyond this alone


@dataclass(frozen=True)
class Asked:
    """One call of a step. args: eps_model, x_t, t, t_prev, eta, z, alpha_bar."""

    args: tuple
    got: Tensor

    @cached_property
    def errors(self) -> Tensor:
        """How far each sample is from the right step's, as a share of the length of the whole result: (B,)."""
        want = ddim_step(*self.args)
        length = want.double().norm().clamp(min=1e-300)
        return (self.got - want).double().reshape(len(want), -1).norm(dim=1) / length

    @property
    def error(self) -> float:
        return float(self.errors.norm())

    @property
    def words(self) -> str:
        _, _, t, t_prev, eta, _, _ = self.args
        return f"t = {t}, t_prev = {t_prev}, eta = {eta:g}"


class Watched(ToyStep):
    """A step that writes down what it is asked."""

    def __init__(self, words: str):
        super().__init__(words)
        self.asked: list[Asked] = []

    def __call__(self, eps_model: Callable, x_t: Tensor, t: int, t_prev: int, eta: float, z: Tensor, alpha_bar: Tensor) -> Tensor:  # fmt: skip
        args = eps_model, x_t.clone(), int(t), int(t_prev), float(eta), z.clone(), alpha_bar
        value = super().__call__(eps_model, x_t, t, t_prev, eta, z, alpha_bar)
        self.asked.append(Asked(args, value.clone()))
        return value


def overlooked(test: Callable, steps: Specimens) -> str:
    """In words: why a test refuses right steps, or lets wrong ones pass; "" where its inputs do not tell."""
    watched = [Watched(step.words) for step in steps]
    outcome = call(test, (Each(watched),))
    if outcome.error:
        return ""
    if not any(step.calls for step in watched):
        return "Your test calls no step: call it, and compare what it returns."
    assert isinstance(outcome.value, Tensor)  # the verdicts on an Each
    verdicts = outcome.value.tolist()
    told = list(zip(watched, steps.shows, verdicts, strict=True))
    refused = [step for step, where, yes in told if not where and not yes]
    passing = {where: step for step, where, yes in told if where and yes}
    try:
        with torch.no_grad():
            if refused:
                alone = len(refused) == sum(steps.right)
                return _refusing(refused, passing, alone)
            return _let_pass([step for step, where, yes in told if where and yes])
    except Exception:  # the student's model may take no second call, and their numbers may be of any shape
        return ""


def _refusing(refused: Sequence[Watched], passing: dict[str, Watched], all_of_them: bool) -> str:
    """Why a test says False of right steps."""
    if all_of_them and len(passing) > FEW:  # it says the opposite of what it should
        return ""
    if all_of_them and passing:
        return (
            f"Your test refuses even the plain formula, and says True of a step that is wrong {next(iter(passing))}: "
            "is that mistake in what it compares with?"
        )
    if any(one.args[n].dtype != torch.float64 for step in refused for one in step.asked for n in (1, 5, 6)):
        return "The inputs of your test are in float32, where right steps differ by 1e-7 of the length and more: make them in float64."
    if not all_of_them:
        return "The right steps that it refuses differ from the others by rounding: allow 1e-6 of the length of the result."
    return (
        "Does is_right(ddim_step) say True? Then it takes rounding for a mistake: allow 1e-6 of the length of the result. "
        "Does it say False? Then what it compares with is wrong, or the comparison, or it asks for more than eq. 12 does, as of how "
        "the step calls the model."
    )


def _let_pass(passing: Sequence[Watched]) -> str:
    """How wrong steps came through: by the comparison, where one was off on an input that was asked, or by the inputs."""
    off = [one for step in passing for one in step.asked if not one.error <= SEEN]
    if off:
        worst = max(off, key=lambda one: one.error)
        said = f"On your own input {worst.words} a wrong step is off by {_percent(worst.error)} of the length of the result, and your test says True"
        if all(float(one.errors[0]) < 1e-6 for one in off):
            return f"{said}: its first sample is right, so compare the whole batch."
        return f"{said}: the comparison lets it pass. Is its tolerance too wide, or does it look at a mean, at one sign, or until the first that agrees?"
    asked = [one for step in passing for one in step.asked]
    if asked and len(asked) <= len(passing):
        return (
            f"Your test asks these steps for one input alone, as {asked[0].words}: does it return too early?"
        )
    facts = list(_facts(asked)) if asked else []
    return f"What your inputs have in common: {'; '.join(facts)}." if facts else ""


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def _facts(asked: Sequence[Asked]) -> Iterator[str]:
    """What is the same in all inputs, so that some mistakes cannot show."""
    t, p, eta = ({one.args[n] for one in asked} for n in (2, 3, 4))
    if len(t) == len(p) == len(eta) == 1:
        yield asked[0].words
    elif p == {0}:
        yield "t_prev is 0"
    elif all(one.args[3] == one.args[2] - 1 for one in asked):
        yield "t_prev is t - 1"
    else:
        yield from (f"t_prev is never {n}" for n in (0, 1) if n not in p)
    if len(t) > 1 and eta <= {0.0, 1.0}:
        yield f"eta is {' or '.join(f'{e:g}' for e in sorted(eta))}"
    yield from (words for words, holds in SAME.items() if all(map(holds, asked)))
    if all(map(_samples_alike, asked)) and any(len(one.args[1]) > 1 for one in asked):
        yield "all samples of the batch are the same"
    largest = max(_guess(one.args) for one in asked)
    if largest < USUAL:
        yield f"no entry of the guess x0 is larger than {largest:.2g}"


def _guess(args: tuple) -> float:
    model, x, t, t_prev, _, _, table = args
    a, _ = kept(t, t_prev, table)
    return float(((x - (1 - a).sqrt() * _predicted(model, x, t)) / a.sqrt()).abs().max())


def _predicted(model: Callable, x: Tensor, t: int) -> Tensor:
    return model(x, torch.full((len(x),), t))


def _blind_to_t(one: Asked) -> bool:
    model, x, t, *_ = one.args
    return all(torch.equal(_predicted(model, x, t), _predicted(model, x, other)) for other in (t + 1, t + 7))


def _samples_alike(one: Asked) -> bool:
    return all(bool((one.args[n] == one.args[n][:1]).all()) for n in (1, 5))


SAME: dict[str, Callable[[Asked], Any]] = {
    "z is 0": lambda one: not bool(one.args[5].any()),
    "x_t is 0": lambda one: not bool(one.args[1].any()),
    "z is x_t": lambda one: torch.equal(one.args[1], one.args[5]),
    "the model predicts 0": lambda one: not bool(_predicted(*one.args[:3]).any()),
    "the model does not look at t": _blind_to_t,
    "the batch has one sample": lambda one: len(one.args[1]) == 1,
}
