"""One question a chapter about a student's own code, for courses that want a defence: which lines would compute something else, if …?

It is drawn from an answer by the secret of the grades, so that it is the same in every run, and is sealed as the quizzes are. Nothing of the answer is
run. A function of one line asks nothing.
"""

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import yaml

from ...files import write_text
from ...quizzes.sealing import seal
from ..grading.assembly import secret_seed
from ..grading.results import Graded, State
from ..ids import function_of
from . import flow

FOLDER = "defence"
OPTIONS = 4  # at most; a wrong one fewer at least
LONGEST = 60  # lines of a function that is asked about
HEAD = """\
# Chapter {chapter}: a question about your own code

{question}

"""
QUESTION = """\
This is your `{function}`, its lines numbered:

{code}

Suppose that the argument `{argument}` held other values, of the same shape and type. Which lines would then compute something else?
"""


@dataclass(frozen=True)
class Asked:
    """A question. right: the lines. others: sets of lines that are wrong."""

    exercise: str
    argument: str
    code: str
    right: frozenset[int]
    others: tuple[frozenset[int], ...]


def write(out: Path, graded: Sequence[Graded], secret: str) -> tuple[int, int]:
    """Write defence/STUDENT/NN.md, the question, and NN.yaml, with its sealed answer: (how many, for how many files there is none)."""
    none = 0
    for one in graded:
        asked = question(one, secret) if one.marks else None
        none += asked is None
        if asked:
            path = out / FOLDER / one.page
            text, sealed = _written(one, asked, secret)
            write_text(path.with_name(f"{path.name}.md"), text)
            write_text(path.with_name(f"{path.name}.yaml"), sealed)
    return len(graded) - none, none


def question(graded: Graded, secret: str) -> Asked | None:
    """The question of one file; None where no answer in it is long enough. Right answers are asked about first."""
    draw = Random(secret_seed(secret, graded.student, f"{graded.chapter}/{FOLDER}"))
    states = {mark.exercise: mark.state for mark in graded.marks}
    for state in (State.RIGHT, State.PART, State.WRONG):
        found = [
            asked
            for exercise, source in graded.cells
            if states.get(exercise) == state
            for asked in questions(exercise, source, draw)
        ]
        if found:
            return draw.choice(found)
    return None


def questions(exercise: str, source: str, draw: Random) -> list[Asked]:
    """All that can be asked about an answer."""
    definition = flow.function(source, function_of(exercise))
    if definition is None or (definition.end_lineno or 0) - definition.lineno >= LONGEST:
        return []
    every = flow.lines(definition)
    reached: dict[str, frozenset[int]] = {}
    for argument in definition.args.posonlyargs + definition.args.args:
        try:
            reached[argument.arg] = flow.reached(definition, argument.arg)
        except (flow.Unclear, RecursionError):
            continue
    code = _numbered(source, definition)
    fits = {name: right for name, right in reached.items() if right and right < every}
    made = [(name, right, _others(right, every, reached.values(), draw)) for name, right in fits.items()]
    return [
        Asked(exercise, name, code, right, tuple(others))
        for name, right, others in made
        if len(others) >= OPTIONS - 2
    ]


def _others(
    right: frozenset[int], every: frozenset[int], reached: Iterable[frozenset[int]], draw: Random
) -> list[frozenset[int]]:
    """Wrong sets of lines: what other arguments reach, one line more, one less, one alone, all."""
    near = [one for line in sorted(every) for one in (right ^ {line}, frozenset({line}))]
    draw.shuffle(near)
    found: list[frozenset[int]] = []
    for one in [*reached, *near, every]:
        if one and one != right and one not in found:
            found.append(one)
    return found[: OPTIONS - 1]


def _numbered(source: str, definition: ast.FunctionDef) -> str:
    lines = source.split("\n")[definition.lineno - 1 : definition.end_lineno]
    return "\n".join(f"    {number:2}  {line}".rstrip() for number, line in enumerate(lines, 1))


def _written(one: Graded, asked: Asked, secret: str) -> tuple[str, str]:
    """The question as Markdown, and sealed."""
    draw = Random(secret_seed(secret, one.student, f"{asked.exercise}/{asked.argument}"))
    text = QUESTION.format(function=function_of(asked.exercise), code=asked.code, argument=asked.argument)
    again = f"Follow `{asked.argument}` from line to line once more."
    options = [{"right": _listed(asked.right), "why": f"`{asked.argument}` reaches these, and no others."}]
    options += [{"wrong": _listed(lines), "why": again} for lines in asked.others]
    draw.shuffle(options)
    name = f"{one.chapter}-{FOLDER}"
    sealed = seal(name, {"question": text, "options": options}, secret_seed(secret, one.student, name))
    listed = "".join(f"- {letter}) {option['text']}\n" for letter, option in sealed["options"].items())
    told = yaml.safe_dump({name: sealed}, sort_keys=False, allow_unicode=True, width=110)
    return HEAD.format(chapter=one.chapter, question=text) + listed, told


def _listed(lines: frozenset[int]) -> str:
    *most, last = sorted(lines)
    return f"lines {', '.join(map(str, most))} and {last}" if most else f"line {last}"
