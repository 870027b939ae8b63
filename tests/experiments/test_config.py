"""A config is checked whole before any work: whatever a file holds, it is used as it says or refused in one line."""

import copy

import pytest
import yaml
from experiments.tiny import TINY
from hypothesis import given, settings
from hypothesis import strategies as st

from diffusion_course.errors import CourseError
from diffusion_course.experiments import config, models

FULL = TINY | {"model": "edm", "label_dropout": 0.1, "edm": {"sigma_data": 0.5, "p_mean": -1.2, "p_std": 1.2}}
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.sampled_from([[], {}, [1], {"a": 1}, 10**400]),
)


def read(tmp_path, text):
    path = tmp_path / "my.yaml"
    path.write_text(text, encoding="utf-8")
    return config.read_config(str(path))


def refusal(tmp_path, text):
    with pytest.raises(CourseError) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"config {tmp_path / 'my.yaml'}: ")


def test_the_table_of_networks_is_that_of_the_models():
    assert models.MODELS.keys() == config.NETWORKS.keys()


@pytest.mark.parametrize("name", sorted(path.stem for path in config.CONFIGS.glob("*.yaml")))
def test_what_ships_passes(name):
    assert config.read_config(name)["data"]


PLACES = [(key,) for key in FULL] + [(key, inner) for key in ("net", "edm", "recipe") for inner in FULL[key]]


@given(place=st.sampled_from(PLACES), value=ODD)
@settings(max_examples=300, deadline=None)
def test_any_value_at_any_place_is_used_or_refused(place, value):
    changed = copy.deepcopy(FULL)
    inside = changed if len(place) == 1 else changed[place[0]]
    inside[place[-1]] = value
    told = told_of(changed)
    assert "\n" not in told
    assert not told or any(name in told for name in (*place, "data set", "key"))


def told_of(changed):
    """What is said of a config; nothing of one that can be used."""
    try:
        config.check_model(changed)
        config.recipe_of(changed)
    except CourseError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("part", [(), ("net",), ("edm",), ("recipe",)])
def test_a_key_that_is_mistyped_is_named_with_the_nearest(tmp_path, part):
    changed = copy.deepcopy(FULL)
    inside = changed
    for name in part:
        inside = inside[name]
    for key in list(inside):
        typed = key[:-1] + "q"
        text = yaml.safe_dump(changed).replace(f"{key}:", f"{typed}:")
        told = refusal(tmp_path, text)
        assert f"unknown key '{typed}'" in told
        assert f"did you mean {key!r}?" in told


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"net": {**TINY["net"], "num_classes": 9}},
            "net: num_classes: got 9, want 10 or 0 (0: without classes) for digits",
        ),
        ({"net": {**TINY["net"], "num_classes": 11}}, "net: num_classes: got 11"),
        ({"net": {**TINY["net"], "image_size": 28}}, "net: image_size: got 28, want 8 for digits"),
        ({"net": {"widths": [8]}}, "net: image_size: got 28 (the default), want 8 for digits"),
        ({"net": {**TINY["net"], "channels": 3}}, "net: channels: got 3, want 1 for digits"),
        ({"net": {**TINY["net"], "learned_variance": True}}, "net: unknown key 'learned_variance'"),
        ({"model": "classifier", "net": {"num_classes": 9}}, "net: num_classes: got 9, want 10 for digits"),
        ({"model": "classifier", "net": {}, "label_dropout": 0.1}, "label_dropout: a classifier takes none"),
        ({"label_dropout": 10}, "label_dropout: got 10, want a number in 0..1"),
        ({"label_dropout": "0.1"}, "label_dropout: got '0.1', want a number in 0..1"),
        ({"edm": {"sigma_data": 0.5}}, "edm: the model is 'flow'"),
        ({"model": "edm", "edm": {"sigma_data": "x"}}, "edm: sigma_data: got 'x', want a number > 0"),
        ({"model": ["flow"]}, "unknown model ['flow']"),
        ({"data": ["digits"]}, "unknown data set ['digits']"),
        ({"recipe": None}, "recipe: got None, want lines like 'key: value'"),
        ({"recipe": {"batch_size": 4}}, "recipe: lacks the key 'steps'"),
        ({"recipe": {"steps": 10**12}}, "steps: got 1000000000000, want an integer in 1..1000000000"),
        ({"recipe": {"steps": 2, "seed": 2**32}}, "seed: got 4294967296"),
    ],
)
def test_what_would_go_wrong_later_or_silently(tmp_path, change, told):
    assert refusal(tmp_path, yaml.safe_dump(TINY | change)).startswith(told)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "- 1",
        "a: [1",
        "a: 2026-02-31",
        "a: !!timestamp x",
        "a: !!bool x",
        "a: !!int x",
        "a: !!python/name:os.system",
        "&a [*a]",
        "[" * 3000,
        "\0",
    ],
)
def test_a_file_that_is_no_config(tmp_path, text):
    refusal(tmp_path, text)


def test_a_config_is_utf8_wherever_it_is_read(tmp_path):
    text = yaml.safe_dump(TINY) + "# Ziffern, für die Übung: цифры\n"
    assert read(tmp_path, text) == TINY
    (tmp_path / "my.yaml").write_bytes(text.encode("utf-8")[:-8] + b"\xff\n")
    with pytest.raises(CourseError, match="not UTF-8 text"):
        config.read_config(str(tmp_path / "my.yaml"))


def test_the_home_folder_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "my.yaml").write_text(yaml.safe_dump(TINY))
    assert config.read_config("~/my.yaml", steps=7)["recipe"]["steps"] == 7


@pytest.mark.parametrize(
    "source", ["", ".", "../configs/mnist-flow", "a\0b", "x" * 300, "a\0.yaml", "x" * 300 + ".yaml", "/.yaml"]
)
def test_a_name_that_is_none(source):
    with pytest.raises(CourseError) as caught:
        config.read_config(source)
    assert "\n" not in str(caught.value)
