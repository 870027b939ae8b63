"""What mixed precision and memory layout do to one training step of the lesson's U-Net."""

import itertools

import torch

from diffusion_course.experiments.precision import LAYOUTS, candidates
from diffusion_course.nets.unet import UNet

from .sides import Case, Comparison

BATCH = 64


def comparisons(device: torch.device) -> list[Comparison]:
    half = next((one.dtype for one in candidates(device, 4) if one.dtype), torch.bfloat16)
    net = UNet(image_size=28, patch_size=2, widths=(32, 64), num_classes=10).to(device)
    x = torch.randn(BATCH, 1, 28, 28, device=device)
    t, labels = torch.rand(BATCH, device=device), torch.randint(10, (BATCH,), device=device)

    def variant(layout: str, dtype: torch.dtype | None) -> Case:
        def case() -> None:
            net.to(memory_format=LAYOUTS[layout])
            batch = x.to(memory_format=LAYOUTS[layout])
            with torch.autocast(device.type, dtype, enabled=dtype is not None):
                loss = net(batch, t, labels).square().mean()
            loss.backward()

        return case

    cases = {
        f"{dtype or torch.float32}, {layout}".removeprefix("torch."): variant(layout, dtype)
        for layout, dtype in itertools.product(LAYOUTS, (None, half))
    }
    return [Comparison("Forward and backward of the lesson's U-Net", cases, "image", BATCH, rate=True)]
