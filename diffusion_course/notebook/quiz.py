"""Short quizzes: `quiz.ask("01-q1")` shows a question, `quiz.answer("01-q1", "b")` answers it without widgets.

The questions are data, one file per chapter in `diffusion_course/quizzes/`. Which option is right, and what each option's author
says about it, are sealed there (see its `sealing.py`), so that reading the file is not reading the answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import ipywidgets
import yaml

from .. import quizzes
from ..errors import unknown
from ..quizzes.sealing import is_right, unseal
from . import access, kernelless, typeset, widgets

# ipywidgets gives an option one line of fixed height; a long one would run over the next.
STYLE = """<style>.diffusion-quiz .widget-radio-box label {
    display: flex; flex-direction: row-reverse; justify-content: flex-end; height: auto; line-height: 1.5 }</style>"""


@dataclass(frozen=True)
class Sheet:
    """A question, its options, the letter of the right one, and for each letter the verdicts of a first and of any later answer, as HTML."""

    question: str
    options: dict[str, str]
    right: str
    verdicts: dict[str, list[str]]


_tries: dict[str, int] = {}  # wrong answers so far in this kernel, per question


def ask(id: str) -> None:
    """Show a question with its options and a button. Where there are no widgets, its text stands for it.

    id: chapter and number, e.g. "01-q1". Raises CourseError for an unknown one.
    """
    entry = _question(id)
    texts = {letter: option["text"] for letter, option in entry["options"].items()}
    question = ipywidgets.HTML(STYLE + _paragraph(f"<b>{id}</b>&ensp;{typeset.as_html(entry['question'])}"))
    choice = ipywidgets.RadioButtons(
        options=[(f"{letter}) {typeset.as_label(words)}", letter) for letter, words in texts.items()],
        value=None,
        layout={"width": "auto"},
    )
    choice.add_class("diffusion-quiz")
    button = ipywidgets.Button(description="Check", tooltip=f"Check the answer to {id}")
    verdict = ipywidgets.HTML()

    def check(_button: object) -> None:
        if choice.value is None:
            verdict.value = _paragraph("Choose an option first.")
        else:
            right, words = _judge(id, choice.value)
            colour = "#1a7f37" if right else "#b3261e"
            verdict.value = _paragraph(
                f'<b style="color: {colour}">{words[0]}</b>{typeset.as_html(words[1:])}'
            )

    button.on_click(check)
    # A radio button shows plain characters; the helper puts these in their place.
    rich = [f"{letter}) {typeset.as_html(words)}" for letter, words in texts.items()]
    box = ipywidgets.VBox([question, choice, button, verdict, access.helper(rich)])
    box.add_class(access.BOX)
    instead: dict[str, Any] = {"text/html": _paragraph(_page(id, entry["question"], rich))}
    if kernelless.asked():
        instead[kernelless.QUIZ] = {"id": id}
    widgets.show(box, text(id), instead)


def _page(id: str, question: str, options: list[str]) -> str:
    """The question for readers without widgets."""
    listed = "".join(f"<div style='margin-left: 1.2em'>{option}</div>" for option in options)
    how = f"Answer with <code>quiz.answer(&quot;{id}&quot;, &quot;a&quot;)</code>."
    return f"<b>{id}</b>&ensp;{typeset.as_html(question)}{listed}{how}"


def text(id: str) -> str:
    """The question and its options as plain text."""
    entry = _question(id)
    options = [f"  {letter}) {option['text']}" for letter, option in entry["options"].items()]
    return "\n".join([f"{id}  {entry['question']}", *options, f'Answer with quiz.answer("{id}", "a").'])


def answer(id: str, letter: str) -> None:
    """Print whether the option is right, with the explanation after a right answer or two wrong ones.

    Raises CourseError for an unknown question or option.
    """
    print(_judge(id, letter)[1])


def ids(chapter: str) -> list[str]:
    """The questions of a chapter, e.g. "01"."""
    return list(_chapter(chapter))


def sheet(id: str) -> Sheet:
    """All of a question as HTML, for a page that answers without a kernel. Raises CourseError for an unknown one."""
    entry = _question(id)
    told = {letter: [_verdict(id, letter, tries) for tries in (1, 2)] for letter in entry["options"]}
    return Sheet(
        typeset.as_html(entry["question"]),
        {letter: typeset.as_html(option["text"]) for letter, option in entry["options"].items()},
        next(letter for letter, verdicts in told.items() if verdicts[0][0]),
        {letter: [typeset.as_html(words) for _, words in verdicts] for letter, verdicts in told.items()},
    )


def _judge(id: str, letter: str) -> tuple[bool, str]:
    """Whether the option is right, and the verdict in words; a wrong one is counted."""
    letter = str(letter).strip().lower()
    right, _ = _verdict(id, letter, 1)
    if not right:
        _tries[id] = _tries.get(id, 0) + 1
    return _verdict(id, letter, _tries.get(id, 0))


def _verdict(id: str, letter: str, tries: int) -> tuple[bool, str]:
    """Whether the option is right, and the verdict in words. tries: how many wrong answers there have been, this one among them."""
    entry = _question(id)
    if letter not in entry["options"]:
        raise unknown("option", letter, entry["options"])
    comment = unseal(id, entry, letter)
    if is_right(id, entry, letter):
        return True, f"✓ {letter}) is right. {comment}"
    verdict = f"✗ {letter}) is not right. {comment}"
    if tries < 2:
        return False, f"{verdict} Try once more."
    right = next(option for option in entry["options"] if is_right(id, entry, option))
    return False, f"{verdict} The answer is {right}). {unseal(id, entry, right)}"


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
