"""What mixed precision and memory layout do to one training step of the lesson's U-Net, as ratios.

    python benchmarks/train_step.py

The variants take turns, and medians are compared, so that a noisy machine disturbs all of them alike.
"""

import itertools
import statistics
import time

import torch

from diffusion_course.experiments.training import amp_dtype
from diffusion_course.nets.unet import UNet

ROUNDS, BATCH = 7, 64


def main() -> None:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    half = torch.float16 if device.type == "cuda" and amp_dtype(device) == torch.float16 else torch.bfloat16
    layouts = {"NCHW": torch.contiguous_format, "channels_last": torch.channels_last}
    variants = list(itertools.product(layouts, (None, half)))
    net = UNet(image_size=28, patch_size=2, widths=(32, 64), num_classes=10).to(device)
    x = torch.randn(BATCH, 1, 28, 28, device=device)
    t, labels = torch.rand(BATCH, device=device), torch.randint(10, (BATCH,), device=device)
    seconds: dict[tuple, list[float]] = {v: [] for v in variants}
    for _, (layout, dtype) in itertools.product(range(ROUNDS), variants):
        net.to(memory_format=layouts[layout])
        batch = x.to(memory_format=layouts[layout])
        start = time.perf_counter()
        with torch.autocast(device.type, dtype, enabled=dtype is not None):
            loss = net(batch, t, labels).square().mean()
        loss.backward()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds[layout, dtype].append(time.perf_counter() - start)
    base = statistics.median(seconds["NCHW", None])
    print(f"{device}, {torch.get_num_threads()} threads, batch {BATCH}; the course picks {amp_dtype(device)}")
    for (layout, dtype), times in seconds.items():
        median = statistics.median(times)
        print(
            f"{layout:>14} {dtype!s:>15}: {median * 1e3:8.1f} ms, speed {base / median:5.2f}x of float32 NCHW"
        )


if __name__ == "__main__":
    main()
