"""What networks that read captions, or follow sketches, are trained on: the objectives of `objectives`, told more than a label."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn

from .. import losses
from ..captions import Grammar
from ..nets.control import Controlled, Hinted
from ..nets.text_encoder import Vocabulary
from ..shapes import expand, moved
from . import net_parts, parts
from .captioned import grammar_of
from .config import Config
from .objectives import Drawn, Objective, beside, draw_sigma, labelled_objective
from .strokes import edges


def objective(config: Config) -> Objective:
    """The loss of a config whose network reads captions."""
    assert isinstance(config.net, net_parts.Reading)
    contrastive = isinstance(config.loss, parts.ContrastiveLoss)
    inner = contrastive_objective(draw_sigma(config)) if contrastive else labelled_objective(config)
    return captioned_objective(
        inner, grammar_of(config.data), Vocabulary(config.net.words, config.net.length)
    )


def contrastive_objective(levels: Callable[[int, Generator], Tensor]) -> Objective:
    """Of an `nets.clip.ImageTextModel`, whose images have noise and whose labels are tokens (B, L), see `losses.contrastive_loss`.

    It does not split: in a piece each row has fewer to be told from.
    """

    def draw(net: nn.Module, shape: torch.Size, labels: Tensor, generator: Generator) -> Drawn:
        return levels(shape[0], generator), torch.randn(shape, generator=generator), labels

    def value(
        net: nn.Module, x0: Tensor, labels: Tensor, sigma: Tensor, eps: Tensor, tokens: Tensor
    ) -> Tensor:
        sigma = beside(x0, sigma)
        noisy = x0 + expand(sigma, x0) * beside(x0, eps)
        images, texts, scale = net(noisy, sigma, moved(tokens, x0.device))
        return losses.contrastive_loss(images.float(), texts.float(), scale)

    return Objective(draw, value, splits=False)


def captioned_objective(
    objective: Objective, grammar: Grammar, vocabulary: Vocabulary, said: float = 0.8
) -> Objective:
    """`objective` of images with captions: labels (B,) are compositions of a grammar, and it draws from tokens (B, L) for them.

    Each image's caption is worded anew each time: in a language at random, and each attribute is said with probability `said`.
    """
    texts = [[grammar.worded(i, *one) for one in grammar.wordings()] for i in range(len(grammar))]
    table = torch.stack([vocabulary.tokens(row) for row in texts])  # (compositions, wordings, L)

    def draw(net: nn.Module, shape: torch.Size, labels: Tensor, generator: Generator) -> Drawn:
        # As `wordings` counts: the language first, then for each attribute whether it is left out.
        wording = torch.randint(len(grammar.languages), labels.shape, generator=generator)
        for _ in grammar.attributes:
            wording = 2 * wording + (torch.rand(labels.shape, generator=generator) >= said).long()
        return objective.draw(net, shape, table[labels.cpu(), wording], generator)

    return Objective(draw, objective.value, objective.splits)


def sketched_objective(objective: Objective, sketch: Callable[[Tensor], Tensor] = edges) -> Objective:
    """`objective` of a `nets.control.Controlled`, which is shown a sketch of each image."""

    def value(net: nn.Module, x0: Tensor, labels: Tensor, *drawn: Tensor | None) -> Tensor:
        assert isinstance(net, Controlled)
        return objective.value(Hinted(net, sketch(x0)), x0, labels, *drawn)

    return Objective(objective.draw, value, objective.splits)
