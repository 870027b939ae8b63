"""The preset "paper": report 2's own setting, NVIDIA's CIFAR-10 network and the FID, where the weights and Inception are at hand.

It compared Euler, DDIM and EDM at equal steps, by 3,000 samples; here they are compared at equal evaluations. "own betas" is a
quadratic schedule of the beta_t made for as many steps, which is how DDIM came to be useless below 500 steps there.
"""

import torch
from torch import Tensor

from ...denoisers import Preconditioned
from ...errors import CourseError
from ...samplers import Step, ddim, edm, euler, heun
from ...schedules import karras
from ..drawing import draw_pictures
from ..fid.networks import FeatureNet, inception_net
from ..fid.seen import Seen, look
from ..fid.sources import BATCH, Images, to_bytes
from ..metrics import frechet_distance, scatter
from ..metrics.gaussians import Gaussian, merged
from .ddim_steps import ddim_grid
from .equal_cost import affordable
from .lab import Lab, Missing
from .study import Row, Study

MODEL = "edm-cifar10-32x32-uncond-ve"
TENTHS = 10
STEPS: dict[str, Step] = {
    "euler": euler,
    "eta 1": ddim(1.0),
    "heun": heun,
    # Karras et al. 2022, table 5, for CIFAR-10 and VE.
    "churn": edm(80, 0.05, 1, 1.007),
}
ROWS = (
    ("euler", "karras"),
    ("eta 1", "karras"),
    ("heun", "karras"),
    ("churn", "karras"),
    ("euler", "uniform"),
    ("euler", "quadratic"),
    ("euler", "own betas"),
)
BUDGETS = (50, 100, 200)
N = 3000  # samples a row, as in the report


def measure(row: Row, lab: Lab) -> Row:
    """FID of a row's samples to CIFAR-10's training pictures, with a jackknife standard error, and that of the test pictures.

    Raises Missing where the network, Inception or the pictures are not at hand: each in one line.
    """
    at_hand = lab.kept(("at hand", row["model"]), lambda: _at_hand(row["model"], lab))
    if isinstance(at_hand, str):
        raise Missing(at_hand)
    net, network = at_hand
    real, floor = lab.kept(("real",), lambda: _real(net, lab))
    steps, nfe = affordable(row["sampler"], row["evaluations"])
    grid = karras(steps) if row["grid"] == "karras" else ddim_grid(row["grid"], steps)
    step = STEPS[row["sampler"]]
    made = draw_pictures(network, row["n"], 1.0, grid, step, row["seed"], lab.device)
    return {"steps": steps, "nfe": nfe, **fid(_seen(made, net, TENTHS), real), "floor": floor}


def _at_hand(model: str, lab: Lab) -> tuple[FeatureNet, Preconditioned] | str:
    """Inception and the network; or the line that says what to fetch, so that it is not tried again for each row."""
    try:
        return inception_net(2048, device=lab.device), lab.released(model)
    except CourseError as error:
        return str(error)


def fid(seen: Seen, real: Gaussian) -> Row:
    """Fréchet distance of pictures in ten groups to real ones, as `quality` writes it."""
    rest = [[group for other, group in enumerate(seen.groups) if other != g] for g in range(len(seen.groups))]
    left_out = [frechet_distance(merged(groups).gaussian(), real) for groups in rest]
    return {
        "frechet": round(frechet_distance(seen.gaussian(), real), 4),
        "frechet standard error": round(scatter(torch.tensor(left_out, dtype=torch.float64)), 4),
        "frechet without each tenth": [round(value, 4) for value in left_out],
    }


def _real(net: FeatureNet, lab: Lab) -> tuple[Gaussian, float]:
    """The Gaussian of the training pictures, and the distance of the test pictures to it."""
    train, test = (
        _seen(lab.pictures("cifar10", split).images, net, 1).gaussian() for split in ("train", "test")
    )
    return train, round(frechet_distance(test, train), 4)


def _seen(images: Tensor, net: FeatureNet, groups: int) -> Seen:
    pixels = to_bytes(images.cpu())
    order = torch.randperm(len(pixels), generator=torch.Generator().manual_seed(0)) % groups
    return look(Images("samples", len(pixels), lambda: iter(pixels.split(BATCH))), net, order, groups)


STUDIES = {
    "solvers": Study(
        what="Samplers at equal numbers of evaluations: FID of 3,000 samples of NVIDIA's CIFAR-10 network",
        settings=[
            {
                **{"model": MODEL, "sampler": sampler, "grid": grid, "evaluations": evaluations},
                **{"n": N, "training seed": 0, "seed": 0},
            }
            for sampler, grid in ROWS
            for evaluations in BUDGETS
        ],
        measure=measure,
    )
}
