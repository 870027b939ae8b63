"""Captions: every one is read as what it says, in both languages, and Russian adjectives agree with their nouns."""

import itertools
import re

import pytest

from diffusion_course import CourseError
from diffusion_course.captions import CLOTHES, DIGITS, WORDS, Caption, words

GRAMMARS = pytest.mark.parametrize("grammar", [DIGITS, CLOTHES], ids=["digits", "clothes"])


def every(grammar):
    choices = itertools.product((None, 0, 1, 2), repeat=len(grammar.attributes))
    return [Caption(noun, levels) for noun, levels in itertools.product(range(grammar.nouns), choices)]


@GRAMMARS
def test_every_caption_is_read_as_what_it_says(grammar):
    texts = set()
    for caption, language in itertools.product(every(grammar), ("en", "ru")):
        text = grammar.write(caption, language)
        assert grammar.parse(text) == caption
        assert grammar.parse(f" «{text.upper()}». ") == caption  # as people write
        assert grammar.parse(text.replace("ё", "е")) == caption
        texts.add(text)
    assert len(texts) == 2 * len(every(grammar))


@GRAMMARS
def test_compositions_are_numbered_without_a_gap(grammar):
    whole = [caption for caption in every(grammar) if None not in caption.levels]
    assert [grammar.composition(i) for i in range(len(grammar))] == whole


def test_what_captions_say():
    assert DIGITS.write(Caption(7, (0, 0))) == "a thin seven leaning left"
    assert DIGITS.write(Caption(8, (None, None))) == "an eight"
    assert DIGITS.write(Caption(8, (2, None))) == "a thick eight"
    assert DIGITS.write(Caption(7, (0, 0)), "ru") == "тонкая семёрка с наклоном влево"
    assert DIGITS.write(Caption(0, (2, 1)), "ru") == "толстый ноль без наклона"
    assert CLOTHES.write(Caption(1, (None,))) == "trousers"
    assert CLOTHES.write(Caption(1, (0,))) == "dark trousers"
    assert CLOTHES.write(Caption(4, (2,)), "ru") == "светлое пальто"


# Of each noun the ending of "серый" that it asks for, written down apart from the grammar.
ENDINGS = {
    **dict.fromkeys(("ноль", "свитер", "ботинок"), "ый ий"),
    **dict.fromkeys(("единица", "двойка", "тройка", "четвёрка", "пятёрка", "шестёрка", "семёрка"), "ая яя"),
    **dict.fromkeys(
        ("восьмёрка", "девятка", "футболка", "сандалия", "рубашка", "кроссовка", "сумка"), "ая яя"
    ),
    **dict.fromkeys(("платье", "пальто"), "ое ее"),
    "брюки": "ые ие",
}


@GRAMMARS
def test_russian_adjectives_agree_with_their_nouns(grammar):
    for caption in every(grammar):
        adjective, *rest = grammar.write(caption, "ru").split()
        if caption.levels[0] is not None:
            assert adjective[-2:] in ENDINGS[rest[0]].split(), (adjective, rest[0])


def test_a_text_is_read_however_its_letters_are_written():
    for text in (
        "тонкая семе\u0308рка с наклоном влево",
        "тонкая семёрка — с наклоном влево!",
        "ТОНКАЯ\tСЕМЁРКА, с наклоном  влево",
    ):
        assert DIGITS.parse(text) == Caption(7, (0, 0))
    assert CLOTHES.parse("серыи\u0306 ботинок") == Caption(9, (1,))
    for hyphen in ("-", "\u2010", "\u2011"):
        assert CLOTHES.parse(f"a T{hyphen}shirt") == Caption(0, (None,))


@GRAMMARS
def test_a_held_out_composition_is_new_and_nothing_in_it_is(grammar):
    numbers = range(len(grammar))
    held_out = [grammar.composition(i) for i in numbers if grammar.held_out(i)]
    seen = [grammar.composition(i) for i in numbers if not grammar.held_out(i)]
    assert sorted(one.noun for one in held_out) == list(range(grammar.nouns))
    parts = itertools.combinations(range(1 + len(grammar.attributes)), max(1, len(grammar.attributes)))
    for places in parts:  # each class, level, and (of two attributes) pair of them
        known = {tuple((one.noun, *one.levels)[place] for place in places) for one in seen}
        for one in held_out:
            assert tuple((one.noun, *one.levels)[place] for place in places) in known


@GRAMMARS
def test_the_vocabulary_has_every_word(grammar):
    said = {
        word
        for caption in every(grammar)
        for name in ("en", "ru")
        for word in words(grammar.write(caption, name))
    }
    assert said <= set(WORDS.split())


def test_wordings_say_less_or_more_of_the_same():
    for number in (0, 41, 89):
        whole = DIGITS.composition(number)
        texts = [(said, DIGITS.worded(number, language, said)) for language, said in DIGITS.wordings()]
        assert len({text for _, text in texts}) == 8
        for said, text in texts:
            levels = tuple(level if one else None for level, one in zip(whole.levels, said, strict=True))
            assert DIGITS.parse(text) == Caption(whole.noun, levels)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: DIGITS.parse("a thik seven"), "'a thik seven': is none of this grammar; the nearest is 'a thick seven'"),
        (lambda: DIGITS.parse(""), "caption '': is none"),
        (lambda: DIGITS.parse(7), "caption: got 7, want a string"),
        (lambda: DIGITS.write(Caption(10, (0, 0))), "noun: got 10, want an integer in 0..9"),
        (lambda: DIGITS.write(Caption(1, (0, 3))), "slant: got 3, want an integer in 0..2"),
        (lambda: DIGITS.write(Caption(1, (0,))), "levels: got 1 of them, want 2"),
        (lambda: DIGITS.write(Caption(1, (0, 0)), "de"), "unknown language 'de'"),
        (lambda: DIGITS.composition(90), "number: got 90, want an integer in 0..89"),
        (lambda: CLOTHES.held_out(-1), "number: got -1"),
    ],
)  # fmt: skip
def test_errors(call, says):
    with pytest.raises(CourseError, match=re.escape(says)):
        call()
