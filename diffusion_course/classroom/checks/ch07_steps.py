"""Steps of a DDIM sampler for a test to judge: the right one in several forms, and wrong ones, in the words of `ToyStep`."""

import re
from dataclasses import dataclass

import torch

from .inputs import Draw
from .toy_steps import Each, ToyStep

READ = "a = entry(t - 1)\nb = entry(p - 1) if p > 0 else 1 + 0 * entry(0)\n"
ASK = "e = model(x, t)\n"
STD = "s = eta * sqrt((1 - b) / (1 - a) * (1 - a / b))\n"
GUESS = "g = (x - sqrt(1 - a) * e) / sqrt(a)\n"
END = "out = sqrt(b) * g + sqrt(1 - b - s * s) * e + s * z\n"
TEXTBOOK = READ + ASK + STD + GUESS + END

EVERYWHERE = "at every t and t_prev"
FRESH = "for eta > 0"
BETWEEN = "for 0 < eta < 1"
LEAPS = "where t_prev < t - 1"
LAST = "at t_prev = 0"
FIRST_TIME = "at t_prev = 1"
ASKED = "for a model that depends on t"
BATCH = "in batches of several samples"
LARGE = "where the guess x0 is large"


@dataclass(frozen=True)
class Wrong:
    """A wrong step: what stands in the right one -> what stands there instead. shows: where its result is wrong. C: a random number."""

    shows: str
    old: str
    new: str

    @property
    def words(self) -> str:
        assert TEXTBOOK.count(self.old) == 1, self.old
        return TEXTBOOK.replace(self.old, self.new)


RIGHT = (
    TEXTBOOK,
    # one factor for each of x, eps and z
    READ
    + "v = eta * eta * (1 - b) * (b - a) / ((1 - a) * b)\n"
    + ASK
    + "out = sqrt(b / a) * x + (sqrt(1 - b - v) - sqrt(b * (1 - a) / a)) * e + sqrt(v) * z\n",
    # in the coordinates of chapter 9
    READ
    + "h = sqrt(1 / a - 1)\nl = sqrt(1 / b - 1)\n"
    + ASK
    + "f = eta * l * sqrt(1 - l * l / (h * h))\ny = x * sqrt(1 + h * h)\n"
    + "out = (y + (sqrt(l * l - f * f) - h) * e + f * z) / sqrt(1 + l * l)\n",
    # a x0 + b x_t + s z
    READ
    + STD
    + "k = sqrt((1 - b - s * s) / (1 - a))\n"
    + ASK
    + GUESS
    + "out = (sqrt(b) - k * sqrt(a)) * g + k * x + s * z\n",
    # detours
    TEXTBOOK.replace(END, "w = C * z\nu = e - C\nout = sqrt(b) * g + sqrt(1 - b - s * s) * (u + C) + s * w / C\n"),
    TEXTBOOK.replace(END, f"{END}out = out if p > 0 else g\n"),
    TEXTBOOK.replace(END, "d = sqrt(1 - b - s * s) * e if eta > 0 else sqrt(1 - b) * e\nout = s * z + d + g * sqrt(b)\n"),
    READ
    + ASK
    + "q = 1 - b\nr = q / (1 - a) * (b - a) / b\nv = r * eta ** 2\nout = (q - v) ** 0.5 * e + v ** 0.5 * z\n"
    + "out = out + (b / a) ** 0.5 * (x - (1 - a) ** 0.5 * e)\n",
)  # fmt: skip
WRONG = (
    Wrong(EVERYWHERE, "(x - sqrt(1 - a) * e)", "(x + sqrt(1 - a) * e)"),
    Wrong(EVERYWHERE, "(x - sqrt(1 - a) * e)", "(x - (1 - a) * e)"),
    Wrong(EVERYWHERE, "(x - sqrt(1 - a) * e) / sqrt(a)", "x - sqrt(1 - a) * e"),
    Wrong(EVERYWHERE, GUESS, "g = (x - sqrt(1 - b) * e) / sqrt(b)\n"),
    Wrong(EVERYWHERE, "sqrt(b) * g", "g"),
    Wrong(EVERYWHERE, "sqrt(b) * g", "sqrt(a) * g"),
    Wrong(EVERYWHERE, "g + sqrt(1 - b - s * s) * e", "g - sqrt(1 - b - s * s) * e"),
    Wrong(EVERYWHERE, "sqrt(1 - b - s * s) * e", "(1 - b - s * s) * e"),
    Wrong(EVERYWHERE, "sqrt(1 - b - s * s) * e", "sqrt(1 - a - s * s) * e"),
    Wrong(EVERYWHERE, "sqrt(1 - b - s * s) * e", "(1 + C) * sqrt(1 - b - s * s) * e"),
    Wrong(EVERYWHERE, "sqrt(1 - b - s * s) * e", "sqrt(1 - b - s * s) * x"),
    Wrong(EVERYWHERE, "entry(t - 1)", "entry(min(t, T - 1))"),
    Wrong(FRESH, "sqrt(1 - b - s * s) * e", "sqrt(1 - b) * e"),
    Wrong(FRESH, "sqrt(1 - b - s * s) * e", "sqrt(1 - b + s * s) * e"),
    Wrong(FRESH, "+ s * z", "+ s * s * z"),
    Wrong(FRESH, "+ s * z", "- s * z"),
    Wrong(FRESH, "+ s * z", "+ (1 + C) * s * z"),
    Wrong(FRESH, " + s * z", ""),
    Wrong(FRESH, "+ s * z", "+ s * e"),
    Wrong(FRESH, "s = eta *", "s = 0 *"),
    Wrong(FRESH, STD, "s = eta * (1 - b) / (1 - a) * (1 - a / b)\n"),
    Wrong(BETWEEN, "s = eta *", "s = eta * eta *"),
    Wrong(BETWEEN, "s = eta *", "s = eta ** 0.5 *"),
    Wrong(BETWEEN, "s = eta *", "s = (1 if eta > 0 else 0) *"),
    Wrong(LEAPS, READ, "a = entry(t - 1)\nb = entry(t - 2) if t > 1 else 1 + 0 * entry(0)\n"),
    Wrong(LEAPS, STD, "n = entry(t - 2) if t > 1 else 1 + 0 * a\ns = eta * sqrt((1 - n) / (1 - a) * (1 - a / n))\n"),
    Wrong(LAST, "1 + 0 * entry(0)", "entry(0)"),
    Wrong(LAST, "1 + 0 * entry(0)", "entry(p - 1)"),
    Wrong(LAST, END, f"{END}out = out if p > 0 else x\n"),
    Wrong(LAST, END, f"{END}out = out if p > 0 else out + eta * sqrt(1 - a) * z\n"),
    Wrong(FIRST_TIME, "if p > 0", "if p > 1"),
    Wrong(ASKED, "model(x, t)", "model(x, max(p, 1))"),
    Wrong(ASKED, "model(x, t)", "model(x, max(t - 1, 1))"),
    Wrong(ASKED, "model(x, t)", "model(x, min(t + 1, T))"),
    Wrong(BATCH, "model(x, t)", "first(model(x, t))"),
    Wrong(BATCH, "+ s * z", "+ s * first(z)"),
    Wrong(LARGE, GUESS, f"{GUESS}g = clip(g, 1)\n"),
    Wrong(LARGE, GUESS, f"{GUESS}g = clip(g, 5 + 10 * C)\n"),
)  # fmt: skip
# What a formula knows, and what it may call: these are no names of its own.
KNOWN = {
    "x",
    "z",
    "t",
    "p",
    "T",
    "C",
    "eta",
    "model",
    "entry",
    "sqrt",
    "clip",
    "first",
    "min",
    "max",
    "if",
    "else",
}


class Specimens(Each):
    """Steps, which of them are right, and where the wrong ones show ("" for a right one)."""

    def __init__(self, steps: list[ToyStep], shows: list[str]):
        super().__init__(steps)
        self.shows = shows

    @property
    def right(self) -> list[bool]:
        return [not where for where in self.shows]

    def told(self, name: str) -> str:
        right = sum(self.right)
        return f"{super().told(name)}, {right} right and {len(self) - right} wrong"


def specimens(d: Draw) -> Specimens:
    """Every right form and every wrong step once, in an order, with names and with constants that the draw decides."""
    kinds = [(words, "") for words in RIGHT] + [(wrong.words, wrong.shows) for wrong in WRONG]
    order = d.shuffled(torch.arange(len(kinds))).tolist()
    return Specimens([dressed(kinds[i][0], d) for i in order], [kinds[i][1] for i in order])


def dressed(words: str, d: Draw) -> ToyStep:
    """The step with other names in its formulas, and a number for C."""
    names = sorted(set(re.findall(r"[A-Za-z]+", words)) - KNOWN)
    new = d.shuffled(torch.arange(1000)).tolist()
    other = {name: f"v{number}" for name, number in zip(names, new, strict=False)}
    other["C"] = f"{d.integer(1, 3) / 10}"
    return ToyStep(re.sub(r"[A-Za-z]+", lambda found: other.get(found[0], found[0]), words))


def undressed(step: ToyStep) -> str:
    """A step's words with its names in the order in which they come: two that differ in names alone have the same."""
    seen: dict[str, str] = {}
    return re.sub(r"v\d+", lambda found: seen.setdefault(found[0], f"v{len(seen)}"), step.words)
