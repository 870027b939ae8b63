"""Denoisers that are told in words: D.given("a thin seven leaning left") is the denoiser of p(x | text)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .denoisers import Conditional, Preconditioned
from .errors import CourseError


class Texted(Preconditioned):
    """A network that reads, and a parametrisation. D(x, sigma) alone is the denoiser of the empty text.

    net: called as net(x, c_noise, hidden), with hidden states (B, L, E) that its own `embed` makes of texts; a subclass may make
    them elsewhere. For guidance without a text: `cfg(D.given(text), D, w)`.
    """

    def forward(self, x: Tensor, sigma: Tensor | float, labels: Tensor | None = None) -> Tensor:
        """x: (B, *S); sigma: () or (B,), > 0; labels: hidden states (B, L, E), or None for the empty text."""
        hidden = self.embed([""]).expand(len(x), -1, -1) if labels is None else labels
        return super().forward(x, sigma, hidden)

    def given(self, labels: int | Tensor | str | Sequence[str]) -> Conditional:
        """The denoiser of p(x | text): one text for all samples, or a list of one for each; or hidden states (1 or B, L, E)."""
        if isinstance(labels, str):
            labels = [labels]
        return super().given(labels if isinstance(labels, int | Tensor) else self.embed(labels))

    @torch.no_grad()
    def embed(self, texts: Sequence[str]) -> Tensor:
        """Hidden states (len(texts), L, E). Raises CourseError for what is no text."""
        if not texts or not all(isinstance(text, str) for text in texts):
            raise CourseError("text: want a string, or a list of strings")
        return self._embed(texts)

    def _embed(self, texts: Sequence[str]) -> Tensor:
        net: Any = self.net
        return net.embed(texts)
