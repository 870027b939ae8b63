"""The exact denoiser of 60,000 digits beside the two matrix products that it cannot do without, in float64."""

import torch

from diffusion_course.exact import DatasetDenoiser

from .sides import Comparison


def comparisons(device: torch.device) -> list[Comparison]:
    data = torch.rand(60_000, 1, 28, 28, device=device)
    D, x = DatasetDenoiser(data), 3 * torch.randn(64, 1, 28, 28, device=device)
    rows, flat = data.flatten(1).double(), x.flatten(1).double()

    def products() -> None:
        for points in rows.split(D.chunk):
            (flat @ points.T) @ points

    def exact() -> None:
        D(x, 3.0)

    cases = {"two matrix products": products, "the course": exact}
    return [Comparison("The exact denoiser of 60,000 digits, 64 states", cases, "call")]
