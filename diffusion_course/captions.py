"""Captions by a grammar, in English and Russian: what an image shows, in words, and back.

DIGITS.write(Caption(7, (0, 0)), "en")            # "a thin seven leaning left"
DIGITS.write(Caption(7, (0, None)), "ru")         # "тонкая семёрка"
DIGITS.parse("Тонкая семерка с наклоном влево.")  # Caption(7, (0, 0))

A caption names a class and, for each attribute, one of three levels or nothing. A *composition* says all of them: it is what
an image has, and it has a number. Some compositions are held out of training, see `Grammar.held_out`.
"""

import itertools
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property

from .errors import CourseError, check_integer, check_known, shown

LEVELS = 3


@dataclass(frozen=True)
class Caption:
    """What is said: a class 0, 1, ..., and of each attribute its level 0..2, or None where nothing is said of it."""

    noun: int
    levels: tuple[int | None, ...]


@dataclass(frozen=True)
class Language:
    """The words of one language.

    nouns: a class's word and the form its adjectives take, "f семёрка" (feminine), or in English its article, "an eight";
    "pl" is plural, which has no article. adjectives: of the first attribute, a row of forms for each level.
    phrases: of the second, one for each level; () where there is none.
    """

    nouns: tuple[str, ...]
    adjectives: tuple[Mapping[str, str], ...]
    phrases: tuple[str, ...] = ()
    articles: bool = False

    def write(self, caption: Caption) -> str:
        """The words of a caption, one after the other."""
        form, noun = self.nouns[caption.noun].split(maxsplit=1)
        said = list(caption.levels)
        adjective = None if said[0] is None else self.adjectives[said[0]]
        words = [] if adjective is None else [adjective.get(form, adjective["m"])]
        if self.articles and form != "pl":
            words.insert(0, form if adjective is None else "a")  # no adjective here begins with a vowel
        phrases = [] if len(said) < 2 or said[1] is None else [self.phrases[said[1]]]
        return " ".join([*words, noun, *phrases])


@dataclass(frozen=True)
class Grammar:
    """All captions of a data set. attributes: the names of what adjectives, then phrases say. languages: by name."""

    attributes: tuple[str, ...]
    languages: Mapping[str, Language]

    @property
    def nouns(self) -> int:
        """The number of classes."""
        return len(next(iter(self.languages.values())).nouns)

    @property
    def cells(self) -> int:
        """The number of compositions of one class: 3 for each attribute, multiplied."""
        return LEVELS ** len(self.attributes)

    def __len__(self) -> int:
        """The number of compositions."""
        return self.nouns * self.cells

    def composition(self, number: int) -> Caption:
        """The composition of a number 0..len - 1, of all its attributes."""
        check_integer("number", number, 0, len(self) - 1)
        noun, cell = divmod(number, self.cells)
        levels = []
        for _ in self.attributes:
            cell, level = divmod(cell, LEVELS)
            levels.append(level)
        return Caption(noun, tuple(reversed(levels)))

    def held_out(self, number: int) -> bool:
        """Whether training never sees a composition: one of each class, in turn of the cells.

        Every class is still seen with every level of every attribute where there are two, and every pair of levels with other
        classes: a held-out composition is new, and nothing in it is.
        """
        check_integer("number", number, 0, len(self) - 1)
        noun, cell = divmod(number, self.cells)
        return cell == noun % self.cells

    def write(self, caption: Caption, language: str = "en") -> str:
        """A caption in words. Raises CourseError for a class, a level or a language that the grammar does not have."""
        check_known("language", language, self.languages)
        check_integer("noun", caption.noun, 0, self.nouns - 1)
        if len(caption.levels) != len(self.attributes):
            raise CourseError(f"levels: got {len(caption.levels)} of them, want {len(self.attributes)}")
        for name, level in zip(self.attributes, caption.levels, strict=True):
            if level is not None:
                check_integer(name, level, 0, LEVELS - 1)
        return self.languages[language].write(caption)

    def parse(self, text: str) -> Caption:
        """What a caption in any of the languages says. Case, punctuation and the dots of ё do not count.

        Raises CourseError, with the nearest caption, for a text that the grammar cannot write.
        """
        if not isinstance(text, str):
            raise CourseError(f"caption: got {shown(text)}, want a string")
        found = self._read.get(" ".join(words(text)))
        if found is None:
            close = get_close_matches(" ".join(words(text)), self._read, n=1, cutoff=0.0)[0]
            raise CourseError(f"caption {shown(text)}: is none of this grammar; the nearest is {close!r}")
        return found

    def wordings(self) -> Iterator[tuple[str, tuple[bool, ...]]]:
        """The ways to word a composition: a language, and which attributes are said."""
        return itertools.product(
            self.languages, itertools.product((True, False), repeat=len(self.attributes))
        )

    def worded(self, number: int, language: str, said: tuple[bool, ...]) -> str:
        """A composition in one of its `wordings`."""
        whole = self.composition(number)
        levels = tuple(level if one else None for level, one in zip(whole.levels, said, strict=True))
        return self.write(Caption(whole.noun, levels), language)

    @cached_property
    def _read(self) -> dict[str, Caption]:
        choices = itertools.product((None, *range(LEVELS)), repeat=len(self.attributes))
        every = [Caption(noun, levels) for noun, levels in itertools.product(range(self.nouns), choices)]
        return {" ".join(words(self.write(one, name))): one for name in self.languages for one in every}


def words(text: str) -> list[str]:
    """A text as words: lower case, letters and digits and the hyphens inside, ё as е (people write both)."""
    plain = unicodedata.normalize("NFKC", text).lower().replace("ё", "е").replace("\u2010", "-")
    kept = "".join(c if c.isalnum() or c == "-" else " " for c in plain)
    return [word for piece in kept.split() if (word := piece.strip("-"))]


def _forms(row: str, forms: str = "m f n pl") -> dict[str, str]:
    return dict(zip(forms.split(), row.split(), strict=True))


def _all_forms(*rows: str) -> tuple[dict[str, str], ...]:
    return tuple(_forms(row) for row in rows)


def _invariant(*rows: str) -> tuple[dict[str, str], ...]:
    return tuple({"m": row} for row in rows)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(one.strip() for one in text.split(","))


DIGITS = Grammar(
    ("width", "slant"),
    {
        "en": Language(
            _listed("a zero, a one, a two, a three, a four, a five, a six, a seven, an eight, a nine"),
            _invariant("thin", "medium", "thick"),
            ("leaning left", "standing upright", "leaning right"),
            articles=True,
        ),
        "ru": Language(
            _listed(
                "m ноль, f единица, f двойка, f тройка, f четвёрка, f пятёрка, f шестёрка, f семёрка, f восьмёрка, f девятка"
            ),
            _all_forms(
                "тонкий тонкая тонкое тонкие",
                "средний средняя среднее средние",
                "толстый толстая толстое толстые",
            ),
            ("с наклоном влево", "без наклона", "с наклоном вправо"),
        ),
    },
)
"""MNIST: the stroke's width, and its slant."""

CLOTHES = Grammar(
    ("brightness",),
    {
        "en": Language(
            _listed(
                "a T-shirt, pl trousers, a pullover, a dress, a coat, a sandal, a shirt, a sneaker, a bag, a boot"
            ),
            _invariant("dark", "grey", "light"),
            articles=True,
        ),
        "ru": Language(
            _listed(
                "f футболка, pl брюки, m свитер, n платье, n пальто, f сандалия, f рубашка, f кроссовка, f сумка, m ботинок"
            ),
            _all_forms(
                "тёмный тёмная тёмное тёмные", "серый серая серое серые", "светлый светлая светлое светлые"
            ),
        ),
    },
)
"""Fashion-MNIST: how bright the cloth is."""

WORDS = " ".join(
    sorted(
        {
            word
            for grammar in (DIGITS, CLOTHES)
            for number in range(len(grammar))
            for language, said in grammar.wordings()
            for word in words(grammar.worded(number, language, said))
        }
    )
)
"""Every word of the captions, the vocabulary of the networks that read them."""
