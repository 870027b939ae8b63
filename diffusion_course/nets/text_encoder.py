"""From words to vectors: a vocabulary, and a small transformer over the words of a caption."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..captions import WORDS, words
from ..errors import CourseError, check_integer, shown, unknown
from .embedding import looks

NOTHING = 0
"""The token that fills a caption up to its length; a caption of such alone is the empty one, "no text"."""


class Vocabulary:
    """Texts to tokens. known: its words, separated by spaces; word i of them is token i + 1. length: tokens of a text, L."""

    def __init__(self, known: str = WORDS, length: int = 8):
        check_integer("length", length, 1, 4096)
        self.length = length
        self.token = {word: i + 1 for i, word in enumerate(dict.fromkeys(words(known)))}

    def __len__(self) -> int:
        """The number of tokens, `NOTHING` among them."""
        return len(self.token) + 1

    def tokens(self, texts: Sequence[str]) -> Tensor:
        """(len(texts), L), int64. Raises CourseError for what is no text, a word that is not known, and too many words."""
        if isinstance(texts, str) or not all(isinstance(text, str) for text in texts) or not texts:
            raise CourseError(f"texts: got {shown(texts)}, want a list of strings")
        return torch.tensor([self._row(text) for text in texts])

    def _row(self, text: str) -> list[int]:
        found = words(text)
        for word in found:
            if word not in self.token:
                raise unknown("word", word, self.token)
        if len(found) > self.length:
            raise CourseError(f"text {shown(text)}: has {len(found)} words, want at most {self.length}")
        return [self.token[word] for word in found] + [NOTHING] * (self.length - len(found))


class TextEncoder(nn.Module):
    """Tokens (B, L) to vectors (B, L, width): an embedding of words and places, then transformer layers.

    words: the vocabulary, separated by spaces. length: L. width: a multiple of 32, the channels of a head. layers: 0 for the
    embedding alone. The places that `NOTHING` fills are read like the others, as CLIP's text encoder reads its padding.
    """

    def __init__(self, words: str = WORDS, length: int = 8, width: int = 64, layers: int = 2):
        super().__init__()
        check_integer("layers", layers, 0)
        if width < 32 or width % 32:
            raise CourseError(f"width: got {width}, want a multiple of 32")
        self.vocabulary = Vocabulary(words, length)
        self.width = width
        self.word = nn.Embedding(len(self.vocabulary), width)
        self.place = nn.Parameter(0.1 * torch.randn(length, width))
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width,
                width // 32,
                2 * width,
                dropout=0.0,
                activation="gelu",
                batch_first=True,
                norm_first=True,
            )
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens: (B, L) integers. Returns (B, L, width). Raises CourseError for other tokens than the vocabulary's."""
        L, known = self.vocabulary.length, len(self.vocabulary)
        if tokens.ndim != 2 or tokens.shape[1] != L or tokens.is_floating_point():
            raise CourseError(
                f"tokens: got {tokens.dtype} of shape {tuple(tokens.shape)}, want integers (B, {L})"
            )
        if looks(self, tokens) and bool(((tokens < 0) | (tokens >= known)).any()):
            raise CourseError(f"tokens: got {tokens.min()}..{tokens.max()}, want 0..{known - 1}")
        h = self.word(tokens) + self.place
        for layer in self.layers:
            h = layer(h)
        return self.norm(h)

    def embed(self, texts: Sequence[str]) -> Tensor:
        """The vectors of texts: (len(texts), L, width). Raises CourseError as `Vocabulary.tokens` does."""
        return self(self.vocabulary.tokens(texts).to(self.place.device))
