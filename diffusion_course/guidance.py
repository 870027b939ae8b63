"""Wrappers that turn denoisers into a denoiser. Guidance scale w = 1 means no guidance, everywhere in the course."""

from torch import Tensor

from .denoisers import Denoiser


def cfg(cond: Denoiser, uncond: Denoiser, w: float) -> Denoiser:
    """Classifier-free guidance (Ho & Salimans 2021): D_u + w (D_c - D_u).

    The same line in eps reads eps_u + w (eps_c - eps_u). The paper's own scale is w - 1:
    (1 + w') eps_c - w' eps_u. w = 1 evaluates only `cond`, and w = 0 only `uncond`.
    """
    if w == 1:
        return cond
    if w == 0:
        return uncond

    def guided(x: Tensor, sigma: Tensor) -> Tensor:
        base = uncond(x, sigma)
        return base + w * (cond(x, sigma) - base)

    return guided


def clip(D: Denoiser, low: float = -1.0, high: float = 1.0) -> Denoiser:
    """D with its answers clipped to the range of the data, as in Ho et al. 2020's code.

    A network that predicts eps needs it at large sigma: there x_0 = x - sigma eps multiplies its error by sigma.
    """

    def clipped(x: Tensor, sigma: Tensor) -> Tensor:
        return D(x, sigma).clamp(low, high)

    return clipped
