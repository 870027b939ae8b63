"""Does a longer chain give better samples? Networks trained with T = 100, 200, 500 and 1000 steps, and sampled with all of them.

The schedule is the cosine, which is one curve of t / T: T changes in how many steps it is cut, and not where it ends.
"""

from ...samplers import ddpm
from ...schedules import NoiseSchedule, by_name
from ..drawing import draw
from ..noise_ahead import NoiseAhead
from ..quality import quality
from .bound import bounds, eps_model
from .lab import Lab
from .schedules import test_images
from .study import Row, Study, for_seeds

T = (100, 200, 500, 1000)
N = 250  # samples a row
IMAGES = 150  # of the test set, for the bound


def network_name(data: str, T: int) -> str:
    """The config of the network for a chain of T steps."""
    return f"{data}-eps-cosine" + ("" if T == 1000 else f"-t{T}")


def measure(row: Row, lab: Lab) -> Row:
    """Validation loss, bits/dim of the bound, and quality of ancestral samples with all T steps."""
    schedule = NoiseSchedule.from_betas(by_name("cosine", row["T"]))
    network = lab.network(
        network_name(row["data"], row["T"]), row.get("training seed", 0), network_name(row["data"], 1000)
    )
    x0, labels = test_images(row["data"], row["images"], row["seed"], lab.device)
    noise = NoiseAhead(row["seed"], draws=row["T"])
    made = draw(network, row["n"], sigmas=schedule.grid(), step=ddpm, seed=row["seed"], device=lab.device)
    return {
        **bounds(eps_model(network, labels), x0, schedule, noise),
        **quality(made.images, made.labels, row["data"], lab.device),
    }


STUDIES = {
    "steps": Study(
        what="Chains of T steps, each with its own network: loss and bound on test images, quality of ancestral samples",
        settings=for_seeds(
            {"data": data, "T": steps, "n": N, "images": IMAGES}
            for data in ("mnist", "fashion-mnist")
            for steps in T
        ),
        measure=measure,
    )
}
