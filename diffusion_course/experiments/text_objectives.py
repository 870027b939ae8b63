"""What networks that read captions, or follow sketches, are trained on: the objectives of `objectives`, told more than a label."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn

from .. import losses
from ..captions import Grammar
from ..nets.clip import ImageTextModel
from ..nets.control import Controlled, Hinted
from ..nets.text_encoder import Vocabulary
from ..shapes import expand, moved
from .strokes import edges
from .training import Loss


def contrastive_objective(draw: Callable[[int, Generator], Tensor]) -> Loss:
    """Of an `nets.clip.ImageTextModel`, whose images have noise and whose labels are tokens (B, L), see `losses.contrastive_loss`."""

    def loss(net: nn.Module, x0: Tensor, labels: Tensor, generator: Generator) -> Tensor:
        assert isinstance(net, ImageTextModel)
        sigma = moved(draw(len(x0), generator), x0.device).to(x0)
        eps = moved(torch.randn(x0.shape, generator=generator), x0.device).to(x0)
        images, texts = net.image(x0 + expand(sigma, x0) * eps, sigma), net.text(labels)
        return losses.contrastive_loss(images.float(), texts.float(), net.scale)

    return loss


def captioned_objective(loss: Loss, grammar: Grammar, vocabulary: Vocabulary, said: float = 0.8) -> Loss:
    """`loss` of images with captions, whose labels (B,) are compositions of a grammar; `loss` is given tokens (B, L) for them.

    Each image's caption is worded anew each time: in a language at random, and each attribute is said with probability `said`.
    """
    texts = [[grammar.worded(i, *one) for one in grammar.wordings()] for i in range(len(grammar))]
    table = torch.stack([vocabulary.tokens(row) for row in texts])  # (compositions, wordings, L)
    at: dict[torch.device, Tensor] = {}  # on a GPU it stays there

    def worded(net: nn.Module, x0: Tensor, labels: Tensor, generator: Generator) -> Tensor:
        # As `wordings` counts: the language first, then for each attribute whether it is left out.
        wording = torch.randint(len(grammar.languages), labels.shape, generator=generator)
        for _ in grammar.attributes:
            wording = 2 * wording + (torch.rand(labels.shape, generator=generator) >= said).long()
        tokens = at.setdefault(x0.device, moved(table, x0.device))
        return loss(net, x0, tokens[labels, moved(wording, x0.device)], generator)

    return worded


def sketched_objective(loss: Loss, sketch: Callable[[Tensor], Tensor] = edges) -> Loss:
    """`loss` of a `nets.control.Controlled`, which is shown a sketch of each image."""
    return lambda net, x0, labels, generator: loss(_hinted(net, sketch(x0)), x0, labels, generator)


def _hinted(net: nn.Module, hint: Tensor) -> nn.Module:
    assert isinstance(net, Controlled)
    return Hinted(net, hint)
