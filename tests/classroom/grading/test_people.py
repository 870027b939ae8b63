"""Two people are never taken for one: who is who depends on raw names, and what is shown of them is unique."""

import os
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffusion_course.classroom.grading import names, people
from diffusion_course.classroom.grading.people import Owners, maybe_one, shown

# Names that differ in little, as a disk holds them: capitals, accents in two forms, signs, blanks, numbers, bytes that are no UTF-8.
PIECES = [
    "ann",
    "Ann",
    "lee",
    " ",
    "  ",
    "-",
    "_",
    ".",
    "1",
    "2",
    "01",
    "(1)",
    "é",
    "e\u0301",
    "03_epsilon_loss",
    "\udcff",
    "\udcfe",
]
PIECES += [
    "\n",
    "\x1b[31m",
    "\u202e",
    "x" * 120,
    "group",
    "student",
    "_4711_815_",
    "李",
    "@",
    "unnamed",
    "[",
    "]",
]
RAW = st.lists(st.sampled_from(PIECES), min_size=1, max_size=5).map("".join)
FORMS = [
    "{}/",
    "{}.ipynb",
    "{}_03_epsilon_loss.ipynb",
    "{}.zip",
    "{}_7_assignsubmission_file_/",
    "{}@uni.edu/",
    "hw-1-{}/",
]


def owned(heads):
    """The people of top names, of which a folder ends with a slash."""
    bare = [head.rstrip("/") for head in heads]
    owners = Owners(bare, {name for name in bare if name.startswith("hw-1-")})
    return [owners.of(name, head.endswith("/")) for name, head in zip(bare, heads, strict=True)]


@settings(max_examples=150)
@given(st.lists(st.tuples(st.sampled_from(FORMS), RAW), min_size=1, max_size=12))
def test_two_names_are_one_person_only_where_a_rule_is_sure(pairs):
    heads = sorted({form.format(raw) for form, raw in pairs})
    found = owned(heads)
    for head, person in zip(heads, found, strict=True):
        for other, another in zip(heads, found, strict=True):
            if head != other and person.key == another.key:
                told = [names.claim(h.rstrip("/")) or names.claim(h.rstrip("/"), True) for h in (head, other)]
                assert told[0].key == told[1].key
    visible = shown(found)
    assert len({" ".join(name.split()) for name in visible.values()}) == len({p.key for p in found})
    assert all(name.isprintable() and name.strip() and len(name) < 250 for name in visible.values())
    assert {os.fsencode(head) for head in heads}  # names that a disk can hold


@given(st.lists(RAW, unique=True, min_size=1, max_size=12), st.randoms())
def test_what_is_shown_does_not_depend_on_the_order(raw, random):
    found = owned([f"{name}.ipynb" for name in raw])
    again = list(found)
    random.shuffle(again)
    assert shown(found) == shown(again)


def test_who_may_be_one_person_is_told_and_stays_two():
    heads = [
        "Ann Lee/",
        "ann lee/",
        "Lee, Ann/",
        "Ann Lee.ipynb",
        "Ann-Lee (1).ipynb",
        "Bob/",
        "Zoé/",
        "Zoe/",
        "student 1/",
        "student 2/",
    ]
    found = owned(heads)
    groups = [sorted(p.raw for p in found if p.key in group) for group in maybe_one(found)]
    assert groups == [
        ["Ann Lee", "Ann Lee.ipynb", "Ann-Lee (1).ipynb", "Lee, Ann", "ann lee"],
        ["Zoe", "Zoé"],
    ]
    assert len(set(shown(found).values())) == len(heads)


def test_an_lms_tells_equal_names_apart():
    found = owned([f"Ann Lee_{n}_assignsubmission_file_/" for n in (1, 2)])
    assert sorted(shown(found).values()) == ["Ann Lee 1", "Ann Lee 2"]
    assert maybe_one(found) == []


def test_who_has_a_row_keeps_the_short_name():
    row, other = owned(["ann.ipynb", "ann.pdf"])
    assert shown([row, other], {row.key}) == {row.key: "ann", other.key: "ann.pdf"}


def test_a_roster_keeps_the_name_it_gives():
    listed = people.Person(("roster", "ann"), "ann", "ann")
    (folder,) = owned(["ann/"])
    made = shown([listed, folder])
    assert made[listed.key] == "ann"
    assert Counter(made.values()).most_common(1)[0][1] == 1


def test_blackboard_users_are_what_differs():
    heads = [
        f"HW_1_{user}_attempt_2026-11-03-2{n}-59-00.ipynb" for user in ("ann_lee", "bob_lee") for n in (1, 2)
    ]
    assert sorted(shown(owned(heads)).values()) == ["ann_lee", "bob_lee"]


@pytest.mark.parametrize(
    "heads",
    [
        ["Jane.Doe@uni.edu/", "jane.doe@UNI.edu/"],
        ["jane@gmail.com.ipynb", "jane@uni.edu.ipynb"],
        ["jane.doe+hw@uni.edu/", "jane.doe@uni.edu/", "janedoe@uni.edu/", "Jane Doe/"],
        ["Jane Doe.ipynb", "Jane Doe v2.ipynb", "Jane Doe final FINAL.ipynb", "JaneDoe.ipynb"],
        ["Copy of 03_epsilon_loss.ipynb", "Kopie von 03_epsilon_loss.ipynb", "03_epsilon_loss (2).ipynb", "hw1.ipynb"],
    ],
)  # fmt: skip
def test_each_of_these_may_be_one_person_and_stays_apart(heads):
    found = owned([*heads, "bob/"])
    assert len({p.key for p in found}) == len(found)
    assert [set(group) for group in maybe_one(found)] == [{p.key for p in found[:-1]}]


@pytest.mark.parametrize(
    "heads",
    [
        ["01.ipynb", "02.ipynb", "03.ipynb"],
        ["a.ipynb", "b.ipynb"],
        ["Group A/", "Group B/", "Group 1-1/", "Group 11/"],
        ["jane@uni.edu/", "john@uni.edu/"],
        ["Ann Lee - 01_forward_process.ipynb", "Ann Lee - 03_epsilon_loss.ipynb"],
        ["ann+03_epsilon_loss+2026-03-01 12:00:00 UTC+q8/", "ann+03_epsilon_loss+2026-03-02 12:00:00 UTC+p7/"],
    ],
)  # fmt: skip
def test_nothing_is_told_of_these(heads):
    assert maybe_one(owned(heads)) == []


def test_the_name_before_a_chapter_as_it_was_handed_out_is_one_persons():
    sure = owned(["Ann Lee - 01_forward_process.ipynb", "Ann Lee - 03_epsilon_loss.ipynb"])
    not_sure = owned(["Ann Lee - 03_epsilon_loss.ipynb", "Ann Lee - 03_epsilon_loss (1).ipynb"])
    nobody = owned(["Copy - 01_forward_process.ipynb", "Copy - 03_epsilon_loss.ipynb"])
    assert [len({p.key for p in found}) for found in (sure, not_sure, nobody)] == [1, 2, 2]
    assert shown(sure) == {sure[0].key: "Ann Lee"}


def test_nbgraders_user_is_one_person_whenever_he_hands_in():
    times = ("2026-03-01 12:00:00 UTC+q8", "2026-03-02 12:00:00.123 UTC")
    found = owned([f"{user}+03_epsilon_loss+{time}/" for user in ("ann", "bob") for time in times])
    assert sorted(shown(found).values()) == ["ann", "bob"]
