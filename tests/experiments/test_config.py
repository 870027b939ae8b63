"""A config is checked whole before any work: whatever a file holds, it is used as it says or refused in one line."""

import copy
import inspect
import json
import re
from dataclasses import fields

import pytest
import torch
import yaml
from experiments.tiny import TINY
from hypothesis import given, settings
from hypothesis import strategies as st

from diffusion_course.errors import CourseError
from diffusion_course.experiments import config, config_text, net_parts, parts, zoo
from diffusion_course.experiments.config import Config
from diffusion_course.experiments.models import network
from diffusion_course.schedules import BETAS

SHORT = TINY | {
    "model": "edm",
    "label_dropout": 0.1,
    "edm": {"sigma_data": 0.5, "p_mean": -1.2, "p_std": 1.2},
}
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


@pytest.mark.parametrize("name", sorted(path.stem for path in config.CONFIGS.glob("*.yaml")))
def test_what_ships_passes(name):
    assert config.read_config(name).data


# The same with every part spelled out, and one with a schedule.
FULL = Config.of(SHORT).as_dict()
SCHEDULED = Config.of(
    TINY | {"model": "eps-linear", "loss": "hybrid", "net": {**TINY["net"], "learned_variance": True}}
).as_dict()

LATENT = Config.of(
    TINY
    | {
        "model": "edm",
        "latents": {"autoencoder": "mnist-autoencoder", "scale": 1.2, "digest": "0a"},
        "net": {"kind": "dit", "image_size": 2, "channels": 3, "patch_size": 1, "num_classes": 10},
    }
).as_dict()
CODER = Config.of(
    TINY | {"model": "autoencoder", "net": {"image_size": 8, "latent_channels": 3, "widths": [8, 8]}}
).as_dict()


def places(mapping):
    inner = [(key, name) for key, part in mapping.items() if isinstance(part, dict) for name in part]
    return [*((key,) for key in mapping), *inner]


PLACES = [(base, place) for base in (SHORT, FULL, SCHEDULED, LATENT, CODER) for place in places(base)]


@given(place=st.sampled_from(PLACES), value=ODD)
@settings(max_examples=800, deadline=None)
def test_any_value_at_any_place_is_used_or_refused(place, value):
    base, place = place
    changed = copy.deepcopy(base)
    inside = changed if len(place) == 1 else changed[place[0]]
    inside[place[-1]] = value
    told = told_of(changed)
    assert "\n" not in told
    assert not told or any(name in told for name in (*place, "data set", "key"))


def told_of(changed):
    """What is said of a config; nothing of one that can be used."""
    try:
        made = Config.of(changed)
        assert Config.of(made.as_dict()) == made
    except CourseError as error:
        return str(error)
    return ""


MISTYPED = [
    *((SHORT, part) for part in ((), ("net",), ("edm",), ("recipe",))),
    *((FULL, (part,)) for part in ("parametrisation", "noise")),
    *((SCHEDULED, (part,)) for part in ("schedule", "loss")),
    *((LATENT, (part,)) for part in ("latents", "net")),
    *((CODER, (part,)) for part in ("net", "loss")),
]


@pytest.mark.parametrize(("base", "part"), MISTYPED)
def test_a_key_that_is_mistyped_is_named_with_the_nearest(tmp_path, base, part):
    changed = copy.deepcopy(base)
    inside = changed
    for name in part:
        inside = inside[name]
    for key in filter(lambda key: len(key) > 1, inside):  # T has no nearest
        typed = key[:-1] + "q"
        text = re.sub(rf"\b{key}:", f"{typed}:", yaml.safe_dump(changed))
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
        (
            {"net": {**TINY["net"], "learned_variance": True}},
            "net: learned_variance: the loss 'flow' trains no variance",
        ),
        (
            {"model": "classifier", "net": {"image_size": 8, "num_classes": 9}},
            "net: num_classes: got 9, want 10 for digits",
        ),
        ({"model": "classifier", "net": {}}, "net: image_size: got 28 (the default), want 8 for digits"),
        ({"model": "classifier", "net": {}, "label_dropout": 0.1}, "label_dropout: a classifier takes none"),
        (
            {"loss": "hybrid"},
            "loss: 'hybrid' is a sum over the steps of a schedule; want the noise 'schedule'",
        ),
        ({"model": "eps-linear", "loss": "hybrid"}, "loss: 'hybrid' trains variances"),
        ({"loss": "edm"}, "loss: 'edm' takes sigma_data from the parametrisation, which must be 'edm'"),
        ({"loss": "min_snr"}, "loss: unknown kind 'min_snr': did you mean 'min-snr'?"),
        ({"loss": "cross-entropy"}, "loss: got 'cross-entropy', which is a classifier's"),
        ({"model": "classifier", "net": {}, "loss": "simple"}, "loss: got 'simple', want 'cross-entropy'"),
        (
            {"model": "noisy-classifier", "noise": "schedule", "net": {}},
            "noise: a noisy-classifier needs one of",
        ),
        ({"parametrisation": "eps"}, "schedule: 'eps' need one of linear, "),
        ({"schedule": "linear"}, "schedule: neither parametrisation nor noise uses it; leave it out"),
        (
            {"model": "edm", "schedule": {"T": 100}},
            "schedule: neither parametrisation nor noise uses it; leave it out",
        ),
        (
            {"model": "classifier", "net": {}, "schedule": {"T": 100}},
            "schedule: a classifier takes none; leave it out",
        ),
        ({"model": "eps-linear", "schedule": {"T": 0}}, "schedule: T: got 0, want an integer in 1..100000"),
        (
            {"model": "eps-linear", "schedule": {"beta_max": 2}},
            "schedule: beta_max: got 2, want a number inside",
        ),
        (
            {"model": "eps-linear", "schedule": {"kind": "cosine", "beta_max": 0.1}},
            "schedule: unknown key 'beta_max'",
        ),
        ({"noise": {"kind": "uniform", "t_min": 0.9, "t_max": 0.1}}, "noise: t_min, t_max: got 0.9, 0.1"),
        (
            {"net": {**TINY["net"], "num_classes": 0}, "label_dropout": 0.3},
            "label_dropout: got 0.3, and the network has no classes (net: num_classes: 0)",
        ),
        (
            {"net": {**TINY["net"], "attention": [5]}},
            "net: attention: got 5, want some of 8, 4, the resolutions that this unet has",
        ),
        (
            {"net": {**TINY["net"], "attention": [4, 16], "patch_size": 2}},
            "net: attention: got 16, want some of 4, 2, the resolutions",
        ),
        ({"label_dropout": 10}, "label_dropout: got 10, want a number in 0..1"),
        ({"label_dropout": "0.1"}, "label_dropout: got '0.1', want a number in 0..1"),
        ({"edm": {"sigma_data": 0.5}}, "edm: the model is 'flow'"),
        ({"model": "edm", "edm": {"sigma_data": "x"}}, "edm: sigma_data: got 'x', want a number above 0"),
        ({"model": ["flow"]}, "unknown model ['flow']"),
        ({"data": ["digits"]}, "unknown data set ['digits']"),
        ({"recipe": None}, "recipe: got None, want lines like 'key: value'"),
        ({"recipe": {"batch_size": 4}}, "recipe: lacks the key 'steps'"),
        ({"recipe": {"steps": 10**12}}, "steps: got 1000000000000, want an integer in 1..1000000000"),
        ({"recipe": {"steps": 2, "seed": 2**32}}, "seed: got 4294967296"),
        (
            {"recipe": {"steps": 2, "weight_decay": 1e30}},
            "weight_decay: got 1e+30, want a number in 0..1 / lr",
        ),
        (
            {"loss": {"kind": "min-snr", "gamma": 1e300}},
            "loss: gamma: got 1e+300, want a number above 0, up to 1e+06",
        ),
        (
            {"model": "edm", "edm": {"sigma_data": 1e300}},
            "edm: sigma_data: got 1e+300, want a number above 0",
        ),
        ({"loss": {"kind": "p2", "gamma": 1e6}}, "loss: gamma: got 1000000.0, want a number in 0..10"),
        ({"noise": {"kind": "log-normal", "mean": 100}}, "noise: mean: got 100, want a number in -10..10"),
        (
            {"model": "eps-linear", "schedule": {"kind": "linear", "beta_min": 0.5, "beta_max": 0.1}},
            "schedule: T 1000, beta_min 0.5, beta_max 0.1: the last sigma is ",
        ),
    ],
)
def test_what_would_go_wrong_later_or_silently(tmp_path, change, told):
    assert refusal(tmp_path, yaml.safe_dump(TINY | change)).startswith(told)


def test_what_is_refused_before_training_is_still_read_from_a_file_of_weights(tmp_path):
    """Cards of before may say so, and their networks are what they were."""
    for change in (
        {"net": {**TINY["net"], "num_classes": 0}, "label_dropout": 0.3},
        {"net": {**TINY["net"], "attention": [5]}},
    ):
        made = Config.of(TINY | change)
        zoo.write(tmp_path / "old.safetensors", network(made), made)
        assert zoo.config(tmp_path / "old.safetensors") == made
        assert zoo.load(tmp_path / "old.safetensors").net.image_size == 8


def test_the_default_attention_may_be_written_out(tmp_path):
    """As `as_dict` does, for a run's folder; of this network it is no resolution."""
    made = Config.of(TINY | {"net": {key: value for key, value in TINY["net"].items() if key != "attention"}})
    assert made.net.attention == (7,)
    assert read(tmp_path, yaml.safe_dump(made.as_dict())) == made
    assert (
        read(tmp_path, yaml.safe_dump(TINY | {"net": {**TINY["net"], "attention": []}})).net.attention == ()
    )


def test_with_other_data_attention_is_where_the_network_has_it(tmp_path):
    net = {
        "image_size": 32,
        "channels": 3,
        "patch_size": 2,
        "widths": [8, 8],
        "attention": [8],
        "num_classes": 10,
    }
    path = tmp_path / "colour.yaml"
    path.write_text(yaml.safe_dump(TINY | {"data": "cifar10", "net": net}))
    assert config.read_config(str(path)).net.attention == (8,)
    made = config.read_config(str(path), data="digits")  # at 4 x 4 and 2 x 2
    assert made.net.attention == ()
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(made.as_dict()))
    assert config.read_config(str(tmp_path / "run.yaml")) == made
    (tmp_path / "my.yaml").write_text(yaml.safe_dump(TINY | {"net": {**TINY["net"], "attention": [5]}}))
    with pytest.raises(CourseError, match="net: attention: got 5"):
        config.read_config(str(tmp_path / "my.yaml"), data="mnist-5k")


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


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("model: flow\ndata: digits\nmodel: edm\n", "key 'model' stands twice (line 3)"),
        ("recipe: {steps: 2, lr: 0.1, lr: 0.2}\n", "key 'lr' stands twice (line 1)"),
        ("net:\n  width: 2\n  - 3\n", "not YAML ("),
        ("a: &x {b: 1, c: 2}\nd: {<<: *x, b: 3, b: 4}\n", "key 'b' stands twice (line 2)"),
    ],
)
def test_a_key_that_stands_twice_is_told_with_its_line(tmp_path, text, told):
    assert refusal(tmp_path, text).startswith(told)


def test_steps_may_be_counted_in_powers_of_ten(tmp_path):
    made = read(tmp_path, yaml.safe_dump(TINY | {"recipe": {"steps": "here"}}).replace("here", "1e5"))
    assert made.recipe.steps == 100_000
    told = refusal(tmp_path, yaml.safe_dump(TINY | {"data": "here"}).replace("here", "1e5"))
    assert told == "unknown data set 100000: want a name, or the path of pictures in quotes"


@pytest.mark.parametrize(
    ("written", "value"), [("1e-3", 0.001), ("1.5E2", 150.0), (".5e-1", 0.05), ("1.e-2", 0.01), ("+1e0", 1.0)]
)
def test_a_number_may_be_written_as_in_yaml_1_2(tmp_path, written, value):
    text = yaml.safe_dump(TINY | {"recipe": {"steps": 2, "weight_decay": "here"}}).replace("here", written)
    assert read(tmp_path, text).recipe.weight_decay == value


def test_aliases_that_unfold_to_gigabytes_are_not_unfolded(tmp_path):
    levels = [f"a{i}: &a{i} [{', '.join(9 * [f'*a{i - 1}'])}]" for i in range(1, 12)]
    told = refusal(tmp_path, "\n".join(["a0: &a0 [x]", *levels]))
    assert told.startswith("more than 20 aliases")
    shared = "model: flow\ndata: digits\nnet: {image_size: 8, widths: &w [4, 8], attention: *w}\nrecipe: {steps: 1}\n"
    assert read(tmp_path, shared).net.attention == (4, 8)


def test_a_model_is_where_a_config_begins_and_its_parts_can_be_replaced():
    plain = Config.of(TINY | {"model": "eps-linear"})
    assert plain.schedule == parts.Schedule("linear", 1000, {"beta_min": 1e-4, "beta_max": 0.02})
    assert plain.noise == parts.ScheduleTimes()
    one_key = Config.of(TINY | {"model": "edm", "noise": {"mean": -0.4}})
    assert one_key.noise == parts.LogNormal(mean=-0.4, std=1.2)
    old = Config.of(TINY | {"model": "edm", "edm": {"p_mean": -0.4}})
    assert old == one_key
    other_kind = Config.of(TINY | {"model": "edm", "noise": {"kind": "logit-normal"}})
    assert other_kind.noise == parts.LogitNormal(mean=0.0, std=1.0)
    replaced = Config.of(
        TINY | {"model": "eps-linear", "parametrisation": "v", "noise": "uniform", "loss": "v"}
    )
    assert replaced.schedule == plain.schedule
    without = {"model": "eps-linear", "parametrisation": "flow", "noise": "uniform", "loss": "flow"}
    assert Config.of(TINY | without).schedule is None


def test_the_old_meaning_of_every_model():
    """What shipped weights were trained on, written out."""
    recipe = {"steps": 1}
    assert Config.of(
        {"model": "edm", "data": "mnist", "edm": {"sigma_data": 0.62}, "recipe": recipe}
    ) == Config(
        data="mnist",
        net=net_parts.UNetShape(),
        parametrisation=parts.EdmParam(sigma_data=0.62),
        noise=parts.LogNormal(mean=-1.2, std=1.2),
        loss=parts.EdmLoss(),
        recipe=config.Recipe(steps=1),
    )
    assert Config.of({"model": "noisy-classifier", "data": "mnist", "recipe": recipe}) == Config(
        data="mnist",
        net=net_parts.NoisyClassifierShape(),
        noise=parts.LogNormal(mean=0.0, std=1.5),
        loss=parts.CrossEntropyLoss(),
        recipe=config.Recipe(steps=1),
    )
    assert Config.of({"model": "classifier", "data": "mnist", "recipe": recipe}).loss.shift == 2
    flow = Config.of({"model": "flow", "data": "mnist", "recipe": recipe})
    assert (flow.noise, flow.loss, flow.schedule) == (parts.LogitNormal(0.0, 1.0), parts.FlowLoss(), None)


def test_a_network_has_every_argument_of_its_class_with_its_default():
    for shape in config_text.KINDS["net"].values():
        arguments = inspect.signature(shape.network).parameters
        assert {one.name: getattr(shape(), one.name) for one in fields(shape)} == {
            name: argument.default for name, argument in arguments.items()
        }


def test_every_schedule_can_be_had_with_its_own_knobs():
    for kind in BETAS:
        made = Config.of(TINY | {"model": "eps-linear", "schedule": {"kind": kind, "T": 100}})
        assert torch.equal(made.noise_schedule.betas, BETAS[kind](100))
        assert Config.of(made.as_dict()) == made


def test_the_readmes_config_is_one(root):
    text = (root / "README.md").read_text(encoding="utf-8").partition("```yaml\n")[2].partition("```")[0]
    made = Config.of(yaml.safe_load(text))
    assert (made.loss, made.noise) == (parts.MinSnrLoss(gamma=5), parts.LogitNormal(std=1.2))
    assert made.schedule.T == 400
    no_denoisers = {"cross-entropy", "contrastive", "reconstruction", "masked"}
    kinds = {"schedule": BETAS} | {
        part: config_text.KINDS[part] for part in ("parametrisation", "noise", "loss")
    }
    for part, known in kinds.items():  # every kind that a denoiser can have is named
        line = next(line for line in text.splitlines() if line.startswith(f"{part}:"))
        missing = known.keys() - no_denoisers - set(re.findall(r"[a-z][\w-]*", line))
        assert not missing, f"README.md's config does not name {missing} in its line `{part}:`"


def test_a_config_in_full_passes_through_yaml_and_json():
    for base in (FULL, SCHEDULED, LATENT, CODER):
        assert yaml.load(yaml.safe_dump(base), config_text._Loader) == json.loads(json.dumps(base)) == base


def test_a_config_is_utf8_wherever_it_is_read(tmp_path):
    text = yaml.safe_dump(TINY) + "# Ziffern, für die Übung: цифры\n"
    assert read(tmp_path, text) == Config.of(TINY)
    (tmp_path / "my.yaml").write_bytes(text.encode("utf-8")[:-8] + b"\xff\n")
    with pytest.raises(CourseError, match="not UTF-8 text"):
        config.read_config(str(tmp_path / "my.yaml"))


def test_the_home_folder_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "my.yaml").write_text(yaml.safe_dump(TINY))
    assert config.read_config("~/my.yaml", steps=7).recipe.steps == 7


@pytest.mark.parametrize(
    "source", ["", ".", "../configs/mnist-flow", "a\0b", "x" * 300, "a\0.yaml", "x" * 300 + ".yaml", "/.yaml"]
)
def test_a_name_that_is_none(source):
    with pytest.raises(CourseError) as caught:
        config.read_config(source)
    assert "\n" not in str(caught.value)
