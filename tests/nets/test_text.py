"""What reads captions: tokens, the text encoder, the U-Net that looks at words, and the model that compares."""

import re

import pytest
import torch

from diffusion_course import CourseError, Noise
from diffusion_course.guidance import cfg
from diffusion_course.nets.clip import ImageTextModel
from diffusion_course.nets.text_encoder import TextEncoder, Vocabulary
from diffusion_course.nets.text_unet import TextUNet
from diffusion_course.nets.unet import UNet
from diffusion_course.parametrisations import edm_param
from diffusion_course.texted import Texted

SMALL = {"image_size": 8, "widths": (8, 16), "attention": (4,)}
TEXTS = ["a thin seven leaning left", "толстая семёрка", ""]


def filled(net):
    """The network with its zero-initialised layers filled, so that its answer depends on everything."""
    noise = Noise(3)
    with torch.no_grad():
        for weight in net.parameters():
            if not weight.any():
                weight.copy_(0.2 * noise.like(weight[None])[0])
    return net.eval()


@pytest.fixture(scope="module")
def net():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return filled(TextUNet(**SMALL, text_width=32))


def inputs(batch=3):
    return Noise(0).randn(batch, 1, 8, 8), torch.linspace(0.1, 0.9, batch)


def test_tokens_are_the_words_in_order():
    some = Vocabulary("thin seven a", 4)
    assert some.tokens(["a thin seven", "Seven, a!", ""]).tolist() == [
        [3, 1, 2, 0],
        [2, 3, 0, 0],
        [0, 0, 0, 0],
    ]
    assert len(some) == 4
    assert torch.equal(Vocabulary().tokens(["тонкая семёрка"]), Vocabulary().tokens(["Тонкая семерка."]))


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (["a thik seven"], "unknown word 'thik': did you mean 'thick'?"),
        (["a thin " + "a " * 9], "has 11 words, want at most 8"),
        ("a seven", "texts: got 'a seven', want a list of strings"),
        ([7], "texts: got [7]"),
        ([], "texts: got []"),
    ],
)
def test_what_the_vocabulary_cannot_read(texts, says):
    with pytest.raises(CourseError, match=re.escape(says)):
        Vocabulary().tokens(texts)


def test_the_encoder_knows_words_and_their_order():
    encoder = TextEncoder("b c", 3, 32)
    vectors = encoder.embed(["b c", "c b", "b b", ""])
    assert vectors.shape == (4, 3, 32)
    assert (vectors[:, None] - vectors[None]).abs().amax((2, 3)).fill_diagonal_(1).min() > 1e-3
    together, alone = encoder.embed(["b c", ""])[1:], encoder.embed([""])
    assert torch.allclose(together, alone, atol=1e-6)  # a text does not depend on its batch
    with pytest.raises(CourseError, match=re.escape("tokens: got 0..3, want 0..2")):
        encoder(torch.tensor([[0, 3, 0]]))
    with pytest.raises(CourseError, match=re.escape("want integers (B, 3)")):
        encoder(torch.zeros(1, 4, dtype=torch.long))
    with pytest.raises(CourseError, match="width: got 40, want a multiple of 32"):
        TextEncoder(width=40)


def test_the_unet_reads(net):
    x, c = inputs()
    read = net(x, c, net.embed(TEXTS))
    assert read.shape == x.shape
    assert torch.allclose(
        net(x, c, net.text.vocabulary.tokens(TEXTS)), read
    )  # tokens, or what was made of them
    other = net(x, c, net.embed(TEXTS[::-1]))
    assert ((read - other).abs().amax((1, 2, 3)) > 1e-4).tolist() == [True, False, True]
    assert torch.allclose(net(x, c), net(x, c, net.no_label.expand(3, -1, -1)))
    for row in range(3):  # a sample does not depend on its batch
        assert torch.allclose(
            net(x[row : row + 1], c[row], net.embed(TEXTS[row : row + 1]))[0], read[row], atol=1e-5
        )


def test_cross_attention_says_nothing_at_first_and_learns():
    net = TextUNet(**SMALL, text_width=32)
    x, c = inputs()
    torch.nn.init.zeros_(net.whole.weight)
    torch.nn.init.normal_(net.last[-1].weight)
    assert torch.equal(net(x, c, net.embed(TEXTS)), net(x, c))
    net(x, c, net.text.vocabulary.tokens(TEXTS)).square().sum().backward()
    crossing = [p for name, p in net.named_parameters() if ".out." in name]
    assert any(p.grad is not None and p.grad.any() for p in crossing)


def test_without_words_it_is_the_plain_unet():
    plain, net = UNet(**SMALL).eval(), filled(TextUNet(**SMALL, text_width=32))
    own = {name.replace(".own.", "."): w for name, w in net.state_dict().items() if ".own." in name}
    rest = {
        name: w
        for name, w in net.state_dict().items()
        if ".attention." not in name and name.split(".")[0] not in ("text", "whole")
    }
    plain.load_state_dict({**own, **rest})
    for name, w in net.named_parameters():
        if name.endswith(("attention.out.weight", "attention.out.bias")) or name.startswith("whole."):
            torch.nn.init.zeros_(w)
    x, c = inputs()
    assert torch.allclose(net(x, c, net.embed(TEXTS)), plain(x, c), atol=1e-6)


@pytest.mark.parametrize("labels", [torch.zeros(2, 8, 32), torch.zeros(3, 7, 32), torch.zeros(3)])
def test_labels_of_another_shape_are_told(net, labels):
    with pytest.raises(CourseError, match=r"labels: got shape .* want \(3, 8, 32\), or tokens \(3, 8\)"):
        net(*inputs(), labels)


def test_guidance_by_text(net):
    D, (x, _), sigma = Texted(net, edm_param(0.6)), inputs(), torch.tensor(0.7)
    given, blank = D.given("a thin seven")(x, sigma), D.given("")(x, sigma)
    assert not torch.allclose(given, blank)
    assert torch.allclose(D(x, sigma), blank, atol=1e-6)
    for guided in (cfg(D.given("a thin seven"), D, 3.0), cfg(D.given("a thin seven"), D.given(""), 3.0)):
        assert torch.allclose(guided(x, sigma), blank + 3 * (given - blank), atol=1e-5)
    each = D.given(["a seven", "a one", "a two"])(x, sigma)
    assert torch.allclose(each[1:2], D.given("a one")(x[1:2], sigma), atol=1e-5)
    assert not D.given("a seven").labels.requires_grad
    with pytest.raises(CourseError, match="want a string, or a list of strings"):
        D.given([])
    with pytest.raises(CourseError, match="unknown word 'kitten'"):
        D.given("a kitten")


def test_the_model_that_compares():
    model = ImageTextModel(8, width=8, text_width=32, embedding=6).eval()
    x, _ = inputs()
    assert model.image(x, torch.tensor(0.5)).shape == (3, 6)
    assert model.embed(TEXTS).shape == (3, 6)
    assert model.scale.item() == pytest.approx(1 / 0.07)
    with torch.no_grad():
        model.log_scale.fill_(9.0)
    assert model.scale.item() == 100
