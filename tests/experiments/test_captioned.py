"""Data sets with captions, what networks that read are trained on, and a whole run of each kind in miniature."""

import json
import re

import pytest
import torch
import yaml
from tiny import CARD
from torch import nn

from diffusion_course import CourseError, Noise, losses
from diffusion_course.captions import CLOTHES, DIGITS, Caption
from diffusion_course.experiments import (
    captioned,
    data,
    objectives,
    runs,
    strokes,
    text_objectives,
    text_quality,
    zoo,
)
from diffusion_course.experiments.config import Config, read_config
from diffusion_course.experiments.objectives import Objective
from diffusion_course.nets.clip import ImageTextModel
from diffusion_course.nets.control import Controlled
from diffusion_course.nets.text_encoder import Vocabulary
from diffusion_course.nets.unet import UNet
from diffusion_course.parametrisations import edm_param
from diffusion_course.texted import Texted

TINY = {
    "text": {"patch_size": 4, "widths": [8], "attention": [7], "text_width": 32, "text_layers": 1},
    "clip": {"width": 8, "text_width": 32, "text_layers": 1, "embedding": 16},
}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def bar(width, degrees):
    """A vertical bar of whole pixels, then leant."""
    images = torch.full((1, 1, 28, 28), -1.0)
    images[:, :, 4:24, 14 - width // 2 : 14 - width // 2 + width] = 1
    return strokes.sheared(images, degrees)


@pytest.fixture(scope="module")
def drawn():
    """One bar for every pair of levels, in the grammar's order."""
    return torch.cat([bar(width, degrees) for width in (2, 3, 5) for degrees in (-15, 0, 15)])


def test_what_is_drawn_is_what_is_read(drawn):
    nouns = torch.full((9,), 4)
    numbers = captioned.compositions(DIGITS, drawn, nouns)
    assert [DIGITS.composition(int(i)) for i in numbers] == [
        Caption(4, (w, s)) for w in range(3) for s in range(3)
    ]
    blank = torch.full((1, 1, 28, 28), -1.0)
    assert captioned.compositions(DIGITS, torch.cat([drawn, blank]), torch.full((10,), 4)).tolist() == [
        *numbers,
        -1,
    ]
    shades = torch.tensor([-0.5, 0.2, 1.0])[:, None, None, None].expand(3, 1, 28, 28)
    assert captioned.compositions(CLOTHES, shades, torch.tensor([0, 1, 9])).tolist() == [0, 4, 29]
    with pytest.raises(CourseError, match="unknown attribute 'colour'"):
        captioned.level("colour", drawn)


def test_training_never_sees_what_is_held_out(drawn):
    pixels = ((drawn + 1) * 127.5).round().to(torch.uint8).repeat(10, 1, 1, 1)[:, 0]
    nouns = torch.arange(10).repeat_interleave(9)

    def base(train, root, say):
        return pixels, nouns, tuple("0123456789")

    read = {train: captioned.read("mnist-captions", base, train, None, print) for train in (True, False)}
    for train, (images, labels, classes) in read.items():
        assert images.dtype == torch.uint8
        held_out = sum(DIGITS.held_out(int(i)) for i in labels)
        assert (len(labels), held_out) == ((80, 0) if train else (90, 10))
        assert [DIGITS.parse(name) for name in classes] == [DIGITS.composition(i) for i in range(90)]
    assert torch.equal(read[False][1], torch.arange(90))
    with pytest.raises(CourseError, match="unknown data set with captions 'mnist'"):
        captioned.grammar_of("mnist")


def test_real_digits_have_every_word():
    found = data.load("mnist-5k-captions")
    assert (found.images.shape[1:], found.images.min(), found.images.max()) == ((1, 28, 28), -1, 1)
    counts = torch.bincount(found.labels, minlength=90).reshape(10, 3, 3)
    assert (counts.sum((0, 2)) > 600).all()  # of each width
    assert (counts.sum((0, 1)) > 600).all()  # and slant
    assert found.classes == data.SOURCES["mnist-5k-captions"].classes


def test_captions_are_worded_anew_and_say_what_the_label_says():
    vocabulary, numbers = Vocabulary(), torch.arange(90).repeat(40)
    words = {token: word for word, token in vocabulary.token.items()}
    inner = Objective(lambda net, shape, labels, draws: (labels,), None)
    objective = text_objectives.captioned_objective(inner, DIGITS, vocabulary, said=0.8)

    def tokens():
        return objective.draw(nn.Identity(), torch.Size([len(numbers), 1, 2, 2]), numbers, generator())[0]

    texts = [" ".join(words[t] for t in row if t) for row in tokens().tolist()]
    read = [DIGITS.parse(text) for text in texts]
    wholes = [DIGITS.composition(int(i)) for i in numbers]
    for got, whole in zip(read, wholes, strict=True):
        assert got.noun == whole.noun
        assert all(level in (None, own) for level, own in zip(got.levels, whole.levels, strict=True))
    for k in range(2):
        share = sum(one.levels[k] is not None for one in read) / len(read)
        assert abs(share - 0.8) < 5 * (0.16 / len(read)) ** 0.5
    russian = sum(re.search("[а-я]", text) is not None for text in texts) / len(texts)
    assert abs(russian - 0.5) < 5 * (0.25 / len(texts)) ** 0.5
    assert torch.equal(tokens(), tokens())


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_share_of_dropped_captions(share):
    tokens = torch.arange(1, 7).repeat(20_000, 1)
    kept = objectives.drop_labels(tokens, share, nn.Identity(), generator())
    empty = (kept == 0).all(1)
    assert torch.equal(kept[~empty], tokens[~empty])  # whole captions are dropped, not words
    assert abs(empty.double().mean() - share) <= 5 * (share * (1 - share) / 20_000) ** 0.5
    assert tokens.min() == 1


def test_the_contrastive_loss():
    images, texts = Noise(0).randn(5, 3).double(), Noise(1).randn(5, 3).double()
    cosines = torch.nn.functional.cosine_similarity(images[:, None], texts[None], dim=2)
    rows = [-(7 * cosines[i, i] - (7 * cosines[i]).logsumexp(0)) for i in range(5)]
    columns = [-(7 * cosines[i, i] - (7 * cosines[:, i]).logsumexp(0)) for i in range(5)]
    wanted = (sum(rows) / 5 + sum(columns) / 5) / 2
    assert losses.contrastive_loss(images, texts, 7.0) == pytest.approx(wanted.item())
    assert losses.contrastive_loss(3 * images, texts / 2, 7.0) == pytest.approx(
        wanted.item()
    )  # lengths do not count
    assert losses.contrastive_loss(texts, images, 7.0) == pytest.approx(wanted.item())
    assert losses.contrastive_loss(images, images, 1e4) < 1e-6
    with pytest.raises(CourseError, match="texts: got shape"):
        losses.contrastive_loss(images, texts[:4], 1.0)


def test_a_sketch_is_of_the_image_that_is_learnt():
    net, x0 = Controlled(UNet(8, widths=(8,), attention=(), num_classes=3)), Noise(0).randn(4, 1, 8, 8)
    seen, labels = [], torch.arange(4) % 3
    plain = objectives.denoiser_objective(
        edm_param(0.6), objectives.log_normal(0.0, 1.0), torch.ones_like, 0.5
    )

    def value(net, x0, labels, *drawn):
        seen.append((net.hint, drawn))
        return plain.value(net, x0, labels, *drawn)

    objective = text_objectives.sketched_objective(Objective(plain.draw, value))
    loss = objective(net, x0, labels, generator())
    assert loss == plain(net.base, x0, labels, generator())  # the branch says nothing yet
    loss.backward()
    hint, drawn = seen[0]
    assert torch.equal(hint, strokes.edges(x0))
    assert all(
        torch.equal(a, b)
        for a, b in zip(drawn, plain.draw(net.base, x0.shape, labels, generator()), strict=True)
    )


@pytest.mark.parametrize("name", ["mnist-text", "mnist-clip"])
def test_the_configs_are_whole(name):
    config = read_config(name)
    assert Config.of(config.as_dict()) == config
    assert Config.of(json.loads(json.dumps(config.as_dict()))) == config
    assert config.net.length >= max(
        len(text.split()) for grammar in (DIGITS, CLOTHES) for text in captioned.captions(grammar, "ru")
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"data": "mnist"},
            "data: a text-unet takes a set with captions (mnist-captions, mnist-5k-captions, ",
        ),
        ({"model": "clip", "data": "digits"}, "data: a clip takes a set with captions"),
        ({"loss": "contrastive"}, "loss: got 'contrastive', which is a clip's; the network is a text-unet"),
        (
            {"loss": "cross-entropy"},
            "loss: got 'cross-entropy', which is a classifier's; the network is a text-unet",
        ),
        ({"model": "clip", "loss": "edm"}, "loss: got 'edm', want 'contrastive' for a clip"),
        ({"model": "clip", "label_dropout": 0.1}, "label_dropout: a clip takes none"),
        ({"model": "clip", "noise": "schedule"}, "noise: a clip needs one of log-normal"),
        ({"net": {"num_classes": 10}}, "unknown key 'num_classes'"),
        ({"net": {"words": 7}}, "words: got 7, want a text"),
        ({"noise": "schedule", "schedule": "cosine", "loss": "hybrid"}, "loss: 'hybrid' trains variances"),
    ],
)
def test_a_config_that_cannot_be_is_one_line(tmp_path, change, says):
    path = tmp_path / "bad.yaml"
    given = {"model": "text", "data": "mnist-captions", "recipe": {"steps": 1}}
    path.write_text(yaml.safe_dump({**given, **change}))
    with pytest.raises(CourseError, match=re.escape(says)):
        read_config(str(path))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Three steps of each kind: name -> (card, weights)."""
    made = {}
    for name, net in TINY.items():
        folder = tmp_path_factory.mktemp(name)
        config = {
            "model": name,
            "data": "mnist-5k-captions",
            "net": net,
            "recipe": {"steps": 3, "batch_size": 4},
        }
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(config))
        card = runs.train(str(folder / f"{name}.yaml"), folder / "out", device="cpu")
        made[name] = card, folder / "out" / f"{name}.safetensors"
    return made


def test_a_text_model_is_trained_written_read_and_drawn_from(trained):
    card, path = trained["text"]
    assert card.keys() >= CARD
    model = zoo.load(path)
    assert isinstance(model, Texted)
    x = Noise(0).randn(2, 1, 28, 28)
    assert model.given("тонкая семёрка")(x, torch.tensor(1.0)).shape == x.shape
    assert model.net.text.vocabulary.token == Vocabulary().token
    numbers = text_quality.asked(DIGITS, True, 4)
    made = text_quality.drawn(model, "mnist-captions", numbers, 2.0)
    assert made.shape == (4, 1, 28, 28)
    assert made.abs().max() <= 1


def test_a_model_that_compares_is_trained_written_read_and_measured(trained):
    card, path = trained["clip"]
    assert isinstance(zoo.read(path), ImageTextModel)
    assert card["metrics"]["test accuracy at sigma 0.1"]["class"]["n"] == 1000
    with pytest.raises(CourseError, match="compares images and texts"):
        zoo.load(path)


def test_who_draws_what_the_caption_says_meets_it():
    test = data.load("mnist-5k-captions", "test", limit=300)
    marks = text_quality.met("mnist-captions", test.images, test.labels)
    assert list(marks) == ["class", "width", "slant", "all"]
    assert marks["width"].all()
    assert marks["slant"].all()
    assert torch.equal(marks["all"], marks["class"])
    assert marks["class"].float().mean() > 0.98
    other = text_quality.met("mnist-captions", test.images, (test.labels + 1) % 90)  # the next slant
    assert not other["slant"].any()
    assert not other["all"].any()


def test_compositions_are_asked_for_in_turn():
    for held_out, count in ((True, 10), (False, 80)):
        numbers = text_quality.asked(DIGITS, held_out, 2 * count)
        assert all(DIGITS.held_out(int(i)) == held_out for i in numbers)
        assert torch.equal(numbers[:count], numbers[count:])
        assert len(set(numbers.tolist())) == count


@pytest.mark.parametrize("name", [name for name in zoo.names() if name.endswith("-text")])
def test_the_cards_of_text_models_tell_whether_the_text_helps(name):
    metrics = zoo.cards()[name]["metrics"]
    for group in ("seen", "held out"):
        for mark in metrics["without text"]:
            helped, blind = metrics["guidance 3"][group][mark], metrics["without text"][mark]
            assert helped["wilson 95 %"][0] > blind["wilson 95 %"][1], (group, mark)
    assert metrics["guidance 3"]["seen"]["class"]["share"] >= 0.9


@pytest.mark.parametrize("name", [name for name in zoo.names() if name.endswith("-clip")])
def test_the_cards_of_models_that_compare_tell_how_well(name):
    least = {"0.1": 0.97, "0.5": 0.95, "1": 0.85}
    for sigma, share in least.items():
        assert zoo.cards()[name]["metrics"][f"test accuracy at sigma {sigma}"]["class"]["share"] >= share
