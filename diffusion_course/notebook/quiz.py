"""Short quizzes: `quiz.ask("01-q1")` shows a question, `quiz.answer("01-q1", "b")` answers it without widgets.

The questions are data, one file per chapter in `diffusion_course/quizzes/`. Which option is right, and what each option's author
says about it, are sealed there (see its `sealing.py`), so that reading the file is not reading the answers.
"""

from __future__ import annotations

import html
from functools import cache
from importlib.resources import files
from typing import Any

import ipywidgets
import yaml

from .. import quizzes
from ..errors import unknown
from ..quizzes.sealing import is_right, unseal
from . import widgets

# ipywidgets gives an option one line of fixed height; a long one would run over the next.
STYLE = """<style>.diffusion-quiz .widget-radio-box label {
    display: flex; flex-direction: row-reverse; justify-content: flex-end; height: auto; line-height: 1.5 }</style>"""

_tries: dict[str, int] = {}  # wrong answers so far in this kernel, per question


def ask(id: str) -> None:
    """Show a question with its options and a button. Where there are no widgets, its text stands for it.

    id: chapter and number, e.g. "01-q1". Raises CourseError for an unknown one.
    """
    entry = _question(id)
    letters = list(entry["options"])
    question = ipywidgets.HTML(STYLE + _paragraph(f"<b>{id}</b>&ensp;{html.escape(entry['question'])}"))
    choice = ipywidgets.RadioButtons(
        options=[(f"{letter}) {entry['options'][letter]['text']}", letter) for letter in letters],
        value=None,
        layout={"width": "auto"},
    )
    choice.add_class("diffusion-quiz")
    button = ipywidgets.Button(description="Check", tooltip=f"Check the answer to {id}")
    verdict = ipywidgets.HTML()

    def check(_button: object) -> None:
        words = "Choose an option first." if choice.value is None else _judge(id, choice.value)
        verdict.value = _paragraph(html.escape(words))

    button.on_click(check)
    box = ipywidgets.VBox([question, choice, button, verdict])
    widgets.show(box, text(id))


def text(id: str) -> str:
    """The question and its options as plain text."""
    entry = _question(id)
    options = [f"  {letter}) {option['text']}" for letter, option in entry["options"].items()]
    return "\n".join([f"{id}  {entry['question']}", *options, f'Answer with quiz.answer("{id}", "a").'])


def answer(id: str, letter: str) -> None:
    """Print whether the option is right, with the explanation after a right answer or two wrong ones.

    Raises CourseError for an unknown question or option.
    """
    print(_judge(id, letter))


def ids(chapter: str) -> list[str]:
    """The questions of a chapter, e.g. "01"."""
    return list(_chapter(chapter))


def _judge(id: str, letter: str) -> str:
    entry = _question(id)
    letter = str(letter).strip().lower()
    if letter not in entry["options"]:
        raise unknown("option", letter, entry["options"])
    comment = unseal(id, entry, letter)
    if is_right(id, entry, letter):
        return f"{letter}) is right. {comment}"
    _tries[id] = _tries.get(id, 0) + 1
    verdict = f"{letter}) is not right. {comment}"
    if _tries[id] < 2:
        return f"{verdict} Try once more."
    right = next(option for option in entry["options"] if is_right(id, entry, option))
    return f"{verdict} The answer is {right}). {unseal(id, entry, right)}"


def _question(id: str) -> dict[str, Any]:
    questions = _chapter(id.partition("-")[0])
    if id not in questions:
        raise unknown("question", id, questions)
    return questions[id]


@cache
def _chapter(number: str) -> dict[str, Any]:
    folder = files(quizzes)
    known = [file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml")]
    if number not in known:
        raise unknown("quiz of chapter", number, known)
    questions: dict[str, Any] = yaml.safe_load((folder / f"{number}.yaml").read_text(encoding="utf-8"))
    return questions


def _paragraph(words: str) -> str:
    return f'<div role="status" style="line-height: 1.4; max-width: 60em">{words}</div>'
