"""Text and pictures as tokens, a model of them from its config to its card, and what its card says."""

import json
import math

import pytest
import torch
import yaml
from experiments.tiny import CARD

from diffusion_course import CourseError, Noise, masked, unmasking
from diffusion_course.experiments import data, objectives, prose, runs, token_quality, tokens, zoo
from diffusion_course.experiments.config import Config, read_config
from diffusion_course.experiments.models import network
from diffusion_course.experiments.recipe import Recipe
from diffusion_course.experiments.training import Trainer

K = len(prose.VOCABULARY)
TEXT = {
    "model": "masked",
    "data": "course-prose",
    "net": {"states": K, "shape": [16], "width": 8, "depth": 1, "heads": 2},
    "recipe": {"steps": 2, "batch_size": 4},
}
DIGITS = TEXT | {
    "data": "digits",
    "net": {"states": 4, "shape": [8, 8], "width": 8, "depth": 1, "heads": 2, "num_classes": 10},
    "label_dropout": 0.1,
}


# ---- the text


def test_the_snapshot_is_plain_sentences_of_the_vocabulary():
    text = prose.snapshot()
    assert prose.decode(prose.encode(text)[None])[0] == text
    assert len(text) > 200_000
    assert all(line.endswith((".", "?", "!")) for line in text.splitlines())


def test_training_and_test_text_are_apart_and_together_all():
    train, test = (prose.windows(split, 50) for split in ("train", "test"))
    lines = prose.snapshot().splitlines(keepends=True)
    held_out = "".join(lines[9::10])
    assert "".join(prose.decode(test)) == held_out[: len(held_out) // 50 * 50]
    learned = "".join(prose.decode(train[::50]))
    assert learned == "".join(line for i, line in enumerate(lines) if i % 10 != 9)[: len(learned)]
    assert prose.decode(train[1:2])[0][:-1] == prose.decode(train[:1])[0][1:]


def test_what_is_collected(tmp_path):
    """Plain sentences, once each; no formulas, numbers, code, or halves of sentences."""
    chapter = """# %% [markdown]
# # A heading has no end
#
# One *plain* sentence with `alpha_bar` in it. The value $x_t$ is not plain. Nor is 3. As Ho et al. 2020 say, no.
# It goes
# on here!
#
# ```python
# This is code.
# ```
# - An item (of a list) is read, too.

# %%
# This comment is none.
x = 1
"""
    for name in ("solutions", "diffusion_course", "tests"):
        (tmp_path / name).mkdir()
    (tmp_path / "solutions" / "01_a.py").write_text(chapter)
    (tmp_path / "README.md").write_text("An item (of a list) is read, too.\n")
    (tmp_path / "CONTRIBUTING.md").write_text("")
    (tmp_path / "tests" / "a.py").write_text('"""What a string says.\n\nRaises it."""\nx = "key"\n')
    assert prose.collect(tmp_path).splitlines() == [
        "one plain sentence with alpha bar in it. it goes on here!",
        "an item (of a list) is read, too.",
        "what a string says.",
        "raises it.",
    ]


def test_hidden_letters_are_shown_as_such():
    assert prose.decode(torch.tensor([[1, K, 2]])) == ["a_b"]
    with pytest.raises(CourseError, match="text: got the character '%'"):
        prose.encode("a%")


# ---- pictures


def test_grey_levels_are_the_nearest_and_become_pictures_again():
    whole, levels = data.load("digits", "test"), tokens.load("digits", "test", (8, 8), 4)
    assert levels.images.shape == (len(whole), 8, 8)
    assert levels.images.dtype == torch.int64
    assert levels.images.unique().tolist() == [0, 1, 2, 3]
    assert torch.equal(levels.labels, whole.labels)
    assert (tokens.pictures(levels.images, 4) - whole.images).abs().max() <= 1 / 3 + 1e-6
    assert tokens.pictures(torch.full((1, 2, 2), 4), 4).unique().tolist() == [0]


def test_shrunk_pictures_are_averages():
    small = tokens.load("mnist-5k", "test", (14, 14), 8).images
    grey = data.load("mnist-5k", "test", size=14).images[:, 0]
    assert ((grey + 1) / 2 * 7 - small).abs().max() <= 0.5 + 1e-4


# ---- configs


@pytest.mark.parametrize("given", [TEXT, DIGITS, "prose-masked", "mnist-masked"])
def test_a_config_of_tokens_comes_back_as_it_was_written(given):
    config = read_config(given) if isinstance(given, str) else Config.of(given)
    assert Config.of(json.loads(json.dumps(config.as_dict()))) == config
    assert network(config).states == config.net.states
    size = sum(p.numel() for p in network(config).parameters())
    assert size <= 1e6  # 2 MB in half precision


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"net": TEXT["net"] | {"states": 9}},
            f"net: states: got 9, want {K}, the characters of course-prose",
        ),
        ({"net": TEXT["net"] | {"shape": [4, 4]}}, r"net: shape: got \[4, 4\], want \[length\] for the text"),
        ({"net": TEXT["net"] | {"num_classes": 3}}, "num_classes: got 3, want 0"),
        ({"loss": "simple"}, "loss: got 'simple', want 'masked' for a token-transformer"),
        ({"noise": "uniform"}, "noise: a token-transformer takes none"),
        ({"data": "cifar10", "net": DIGITS["net"]}, "data: cifar10 has 3 channels"),
        ({"data": "digits"}, r"net: shape: got \[16\], want \[size, size\], at most 8, for digits"),
        ({"data": "digits", "net": DIGITS["net"] | {"shape": [9, 9]}}, "net: shape: got"),
        (
            {"data": "digits", "net": DIGITS["net"] | {"states": 1}},
            "states: got 1, want at least two grey levels",
        ),
        ({"data": "digits", "net": DIGITS["net"] | {"num_classes": 9}}, "num_classes: got 9, want 10 or 0"),
        ({"model": "flow", "net": {}}, "data: course-prose is a text, got the net 'unet'"),
        (
            {"model": "flow", "net": {}, "loss": "masked", "data": "digits"},
            "loss: got 'masked', which is a token-transformer's",
        ),
    ],
)
def test_what_does_not_go_together_is_told(tmp_path, change, told):
    path = tmp_path / "bad.yaml"
    path.write_text(yaml.safe_dump(TEXT | change))
    with pytest.raises(CourseError, match=told):
        read_config(str(path))


# ---- training


def test_the_objective_is_the_bound_in_nats_per_token():
    """Of a network that knows nothing, log K on the average, whatever is hidden; of one that knows x_0, nothing."""
    x0 = tokens.load("digits", "train", (8, 8), 4).images[:256]
    labels, loss = torch.zeros(256, dtype=torch.int64), objectives.masked_objective(4)

    class Knows(torch.nn.Module):
        states, num_classes = 4, 0

        def __init__(self, sure):
            super().__init__()
            self.sure = sure

        def forward(self, x):
            return self.sure * torch.nn.functional.one_hot(x0, 4).double()

    drawn = [float(loss(Knows(0.0), x0, labels, torch.Generator().manual_seed(i))) for i in range(100)]
    mean, error = sum(drawn) / 100, float(torch.tensor(drawn).std()) / 10
    assert abs(mean - math.log(4)) < 4 * error
    assert error < 0.03
    assert float(loss(Knows(50.0), x0, labels, torch.Generator())) < 1e-9


@pytest.mark.parametrize("mapping", [TEXT, DIGITS], ids=["text", "digits"])
def test_a_run_leaves_a_model_that_writes_and_a_card(tmp_path, mapping, monkeypatch):
    for name in ("ROWS", "SAMPLES"):
        monkeypatch.setattr(token_quality, name, 20)
    path, out = tmp_path / "tiny.yaml", tmp_path / "run"
    path.write_text(yaml.safe_dump(mapping))
    card = runs.train(str(path), out, device="cpu", looks=runs.Looks(validate_every=1))
    assert len((out / "curve.jsonl").read_text().splitlines()) == 2
    assert card.keys() >= CARD
    assert Config.of(card["config"]) == Config.of(mapping)
    assert card["data"].startswith(
        f"course-prose {prose.digest()}, " if mapping is TEXT else "digits, 1,442 images"
    )
    if mapping is TEXT:
        assert card["metrics"]["known words of the test text"]["share"] > 0.6
    assert card["metrics"]["bound"]["low"] < card["metrics"]["bound"]["mean"]
    model = zoo.token_model(out / "tiny.safetensors")
    start = unmasking.hidden(3, *model.shape, K=model.states)
    drawn = unmasking.sample(unmasking.parallel_step(), model, start, unmasking.even_grid(4), Noise(0))
    assert drawn.shape == (3, *model.shape)
    assert int(drawn.max()) < model.states
    assert runs.train(str(path), out, device="cpu") == card
    with pytest.raises(CourseError, match=r"use zoo\.token_model"):
        zoo.load(str(out / "tiny.safetensors"))
    with pytest.raises(CourseError, match="is no model of tokens"):
        zoo.token_model("mnist-flow")


def test_training_beats_counting_letters():
    """A few steps of a tiny network on a text that repeats itself."""
    rows = prose.encode("to be or not to be. " * 30).unfold(0, 16, 1)
    torch.manual_seed(0)
    net = network(Config.of(TEXT | {"net": TEXT["net"] | {"width": 32}}))
    recipe = Recipe(steps=250, batch_size=16, lr=5e-3, warmup=10, ema=0.9)
    trainer = Trainer(net, objectives.masked_objective(K), rows, torch.zeros(len(rows)).long(), recipe)
    for _ in trainer.run():
        pass
    bound = masked.bound(trainer.ema, rows[:20], K, Noise(0)).mean()
    assert bound < token_quality._counted(rows, rows[:20], K, 1).mean() / 2


# ---- what a card says


def test_counting_is_cross_entropy_by_hand():
    train, rows = torch.tensor([[0, 1, 0, 1], [0, 1, 1, 1]]), torch.tensor([[0, 1, 0, 0]])
    alone = [4 / 10, 6 / 10, 4 / 10, 4 / 10]  # 3 zeros and 5 ones, and one more of each
    after = [3 / 4, 4 / 5, 2 / 5, 1 / 5]  # both rows begin with 0; 0 is followed by 1, 1, 1; 1 by 0, 1, 1
    for order, p in ((1, alone), (2, after)):
        found = token_quality._counted(train, rows, 2, order)
        torch.testing.assert_close(found, torch.tensor([-sum(map(math.log, p))]), atol=1e-6, rtol=1e-6)
