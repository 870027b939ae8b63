"""Training steps and sampling of U-Nets of equal size: the course's, and those of other libraries.

The same plain step for all, in float32 with PyTorch's AdamW; and the course's `Trainer`, which picks precision and layout. On a GPU
also what `torch.compile` makes of the two.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diffusion_course.denoisers import Preconditioned, eps_param
from diffusion_course.experiments.objectives import eps_objective
from diffusion_course.experiments.training import Recipe, Trainer
from diffusion_course.nets.unet import UNet
from diffusion_course.noise import Noise
from diffusion_course.samplers import ddim, sample
from diffusion_course.schedules import NoiseSchedule, linear, uniform_timesteps

from .peers import missing, peer
from .sides import Case, Comparison

BATCH, DRAWN, STEPS = 64, 16, 50
SCHEDULE = NoiseSchedule.from_betas(linear(1000))
# About 1, 2 and 7 million parameters: widths of the course's and diffusers' U-Net; of smalldiffusion's and denoising-diffusion-pytorch's.
SIZES = (
    ((32, 64, 64), (32, (1, 2, 2)), (24, (1, 2, 3))),
    ((40, 64, 96), (32, (1, 2, 3)), (32, (1, 2, 3))),
    ((64, 128, 192), (64, (1, 2, 3)), (54, (1, 2, 4))),
)
Net = Callable[[Tensor, Tensor], Tensor]
"""(x (B, 1, 28, 28), t (B,)) -> eps."""


def comparisons(device: torch.device) -> list[Comparison]:
    return [made for sizes in SIZES for made in (_training(*sizes, device), _sampling(sizes[0], device))]


def _training(widths: tuple, small: tuple, lucid: tuple, device: torch.device) -> Comparison:
    nets = _networks(widths, small, lucid)
    cases = {f"{name}, float32": _plain_step(net, call, device) for name, (net, call) in nets.items()}
    size = f"{_millions(nets['the course'][0])} M parameters"
    for name in ("diffusers", "the course") if device.type == "cuda" else ():
        if name in nets:
            net, call = _networks(widths, small, lucid)[name]
            cases[f"{name}, float32, compiled"] = _plain_step(net, torch.compile(call), device)
    cases["the course's Trainer"] = _trainer_step(UNet(28, 1, widths, attention=(7,)), device)
    patches = UNet(28, 1, widths[1:], attention=(7,), patch_size=2)
    cases[f"the same, 2 x 2 patches ({_millions(patches)} M)"] = _trainer_step(patches, device)
    told = ", ".join(f"{name} {_millions(net)} M" for name, (net, _) in nets.items())
    notes = [f"{told}.", *missing("diffusers", "smalldiffusion", "denoising_diffusion_pytorch")]
    return Comparison(f"Training step, {size}, batch {BATCH}", cases, "image", BATCH, rate=True, notes=notes)


def _networks(widths: tuple, small: tuple, lucid: tuple) -> dict[str, tuple[nn.Module, Net]]:
    """name -> network and how it is called. The first is what ratios are of: diffusers', where it is there."""
    nets: dict[str, tuple[nn.Module, Net]] = {}
    if peer("diffusers"):
        theirs = _of_diffusers(widths)
        nets["diffusers"] = theirs, lambda x, t: theirs(x, t).sample
    if module := peer("smalldiffusion.model_unet"):
        net = module.Unet(28, 1, 1, ch=small[0], ch_mult=small[1], num_res_blocks=1, attn_resolutions=(7,))
        nets["smalldiffusion"] = net, lambda x, t: net(x, t[:, None, None, None].float())
    if module := peer("denoising_diffusion_pytorch"):
        lucidrains = module.Unet(lucid[0], dim_mults=lucid[1], channels=1)
        nets["denoising-diffusion-pytorch"] = lucidrains, lucidrains
    ours = UNet(28, 1, widths, attention=(7,))
    nets["the course"] = ours, lambda x, t: ours(x, t.float())
    return nets


def _of_diffusers(widths: tuple) -> nn.Module:
    from diffusers import UNet2DModel

    return UNet2DModel(
        sample_size=28,
        in_channels=1,
        out_channels=1,
        block_out_channels=widths,
        layers_per_block=1,
        norm_num_groups=8,
        attention_head_dim=16,
        down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
    )


def _plain_step(net: nn.Module, call: Net, device: torch.device) -> Case:
    net.to(device).train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-4)
    x, eps = torch.randn(2, BATCH, 1, 28, 28, device=device)
    t = torch.randint(1, 1000, (BATCH,), device=device)

    def case() -> None:
        optimizer.zero_grad()
        F.mse_loss(call(x, t), eps).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()

    return case


def _trainer_step(net: nn.Module, device: torch.device) -> Case:
    images, labels = torch.randint(0, 256, (4096, 1, 28, 28), dtype=torch.uint8), torch.zeros(4096).long()
    trainer = Trainer(
        net, eps_objective(SCHEDULE), images, labels, Recipe(steps=10**9, batch_size=BATCH), device
    )
    trainer.pick_precision()
    steps = trainer.run()

    def case() -> None:
        next(steps)

    return case


def _sampling(widths: tuple, device: torch.device) -> Comparison:
    net, patches = UNet(28, 1, widths, attention=(7,)), UNet(28, 1, widths[1:], attention=(7,), patch_size=2)
    cases: dict[str, Case] = {}
    if peer("diffusers"):
        cases["diffusers, DDIMPipeline"] = _pipeline(widths, device)
    cases["the course"] = _drawn(net, device)
    cases[f"the same, 2 x 2 patches ({_millions(patches)} M)"] = _drawn(patches, device)
    title = f"{DRAWN} samples in {STEPS} DDIM steps, {_millions(net)} M parameters, float32"
    return Comparison(title, cases, "sample", DRAWN, rate=True, notes=missing("diffusers"))


def _drawn(net: nn.Module, device: torch.device) -> Case:
    net.eval().to(device, memory_format=torch.channels_last)  # its weights lie as `zoo.load` lays them
    D, grid = Preconditioned(net, eps_param(SCHEDULE)), SCHEDULE.grid(uniform_timesteps(1000, STEPS))

    def case() -> None:
        start = grid[0] * Noise(0).randn(DRAWN, 1, 28, 28, device=device)
        sample(D, start, grid, ddim(0.0)).clamp(-1, 1).cpu()

    return case


def _pipeline(widths: tuple, device: torch.device) -> Case:
    from diffusers import DDIMPipeline, DDIMScheduler

    pipeline = DDIMPipeline(_of_diffusers(widths).eval(), DDIMScheduler()).to(device)
    pipeline.set_progress_bar_config(disable=True)

    def case() -> None:
        pipeline(batch_size=DRAWN, num_inference_steps=STEPS, output_type="np")

    return case


def _millions(net: nn.Module) -> str:
    return f"{sum(w.numel() for w in net.parameters()) / 1e6:.1f}"
