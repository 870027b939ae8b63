"""Quizzes: the verdicts, and the questions that are shipped."""

import re
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from diffusion_course import quizzes
from diffusion_course.errors import CourseError
from diffusion_course.notebook import quiz, widgets
from diffusion_course.quizzes.sealing import is_right, seal, unseal

FILES = [file for file in files(quizzes).iterdir() if file.name.endswith(".yaml")]
CHAPTERS = sorted(file.name.removesuffix(".yaml") for file in FILES)
IDS = [id for chapter in CHAPTERS for id in quiz.ids(chapter)]
DRAFT = {
    "question": "How much is 1 + 1?",
    "options": [
        {"wrong": "1", "why": "Only one."},
        {"right": "2", "why": "One and one."},
        {"wrong": "3", "why": "Too many."},
    ],
}


@pytest.fixture
def question(monkeypatch):
    """The draft as question 77-q1, in a kernel where nobody has tried it."""
    monkeypatch.setattr(quiz, "_tries", {})
    monkeypatch.setattr(quiz, "_chapter", lambda number: {"77-q1": seal("77-q1", DRAFT)})


def answer(capsys, letter):
    quiz.answer("77-q1", letter)
    return capsys.readouterr().out


@pytest.mark.usefixtures("question")
def test_a_right_answer_is_explained(capsys):
    assert answer(capsys, " B ") == "✓ b) is right. One and one.\n"


@pytest.mark.usefixtures("question")
def test_the_answer_is_told_only_after_two_tries(capsys):
    first = answer(capsys, "a")
    assert first == "✗ a) is not right. Only one. Try once more.\n"
    assert answer(capsys, "c") == "✗ c) is not right. Too many. The answer is b). One and one.\n"


@pytest.mark.usefixtures("question")
def test_the_button_says_what_the_function_says(monkeypatch):
    shown = []
    monkeypatch.setattr(widgets, "show", lambda box, text, instead: shown.append((box, text)))
    quiz.ask("77-q1")
    ((box, text),) = shown
    assert text.splitlines()[0] == "77-q1  How much is 1 + 1?"
    _, choice, button, verdict, _ = box.children
    button.click()
    assert "Choose an option first." in verdict.value
    choice.value = "b"
    button.click()
    assert ">✓</b> b) is right. One and one." in verdict.value


@pytest.mark.usefixtures("question")
def test_a_sheet_says_of_every_option_what_the_function_says(capsys):
    sheet = quiz.sheet("77-q1")
    assert (sheet.question, sheet.options, sheet.right) == (
        "How much is 1 + 1?".replace(" + ", "\u00a0+\u00a0"),
        {"a": "1", "b": "2", "c": "3"},
        "b",
    )
    assert [answer(capsys, letter).strip() for letter in "ac"] == [
        sheet.verdicts["a"][0],
        sheet.verdicts["c"][1],
    ]
    assert sheet.verdicts["b"] == [answer(capsys, "b").strip()] * 2


@pytest.mark.usefixtures("question")
def test_unknown_questions_and_options_are_one_clear_line():
    with pytest.raises(CourseError, match="unknown question '77-q2': did you mean '77-q1'"):
        quiz.ask("77-q2")
    with pytest.raises(CourseError, match="unknown option 'z': known: a, b, c"):
        quiz.answer("77-q1", "z")


def test_an_unknown_chapter_is_one_clear_line():
    with pytest.raises(CourseError, match="unknown quiz of chapter"):
        quiz.ask("nothing")


@pytest.mark.parametrize("id", IDS)
def test_every_question_has_one_right_answer_and_words_for_each_option(id):
    entry = quiz._question(id)
    assert sum(is_right(id, entry, letter) for letter in entry["options"]) == 1
    assert all(len(unseal(id, entry, letter)) > 10 for letter in entry["options"])
    assert len({option["text"] for option in entry["options"].values()}) == len(entry["options"])


def test_every_chapter_has_its_questions():
    for chapter, least in {"00": 3, "01": 4, "02": 4, "03": 4}.items():
        assert len(quiz.ids(chapter)) >= least


def test_every_question_is_asked_once_by_its_chapter():
    chapters = sorted((Path(__file__).parents[2] / "solutions").glob("*.py"))
    asked = [
        (path.name[:2], id)
        for path in chapters
        for id in re.findall(r'quiz\.ask\("(\d\d-q\d+)"\)', path.read_text(encoding="utf-8"))
    ]
    assert sorted(asked) == sorted((id[:2], id) for id in IDS)


def test_right_answers_are_not_always_at_the_same_letter():
    right = [
        next(letter for letter in quiz._question(id)["options"] if is_right(id, quiz._question(id), letter))
        for id in IDS
    ]
    assert max(right.count(letter) for letter in "abcd") <= len(right) / 2


def test_the_longest_option_is_not_a_hint():
    longest = 0
    for id in IDS:
        entry = quiz._question(id)
        length = {letter: len(option["text"]) for letter, option in entry["options"].items()}
        longest += any(is_right(id, entry, a) and length[a] == max(length.values()) for a in length)
    assert longest <= 0.4 * len(IDS)


def formulas(text):
    """The runs of signs in a text that are no words: numbers, letters of formulas and what joins them."""
    signs = re.split(r"[A-Za-z]{3,}|\b(?:is|of|to|at|a|an|the|and|in|by|as|for|so|it)\b", text)
    return {run for sign in signs if len(run := re.sub(r"[\s,.;:?!]", "", sign)) >= 8}


@pytest.mark.parametrize("id", IDS)
def test_no_option_repeats_the_formula_of_its_question(id):
    entry = quiz._question(id)
    stem = formulas(entry["question"])
    for option in entry["options"].values():
        assert not {run for run in stem for other in formulas(option["text"]) if run in other or other in run}


def test_the_shipped_files_do_not_hold_an_answer_in_clear():
    for file in FILES:
        text = file.read_text(encoding="utf-8")
        for id, entry in yaml.safe_load(text).items():
            assert set(entry) == {"question", "salt", "answer", "options"}
            for letter in entry["options"]:
                assert unseal(id, entry, letter) not in text
