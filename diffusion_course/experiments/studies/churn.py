"""Does fresh noise pay less as the network improves (Karras et al. 2022, section 5)? One run, looked at after 1, 3, 10 and 25 epochs."""

from ...schedules import karras
from ..drawing import draw
from ..quality import quality
from .lab import Lab
from .solvers import STEPS, affordable
from .study import Row, Study, for_seeds

EPOCHS = (1, 3, 10, 25)
SAMPLERS = ("euler", "eta 1", "heun", "churn 10", "churn")
N = 300  # samples a row


def measure(row: Row, lab: Lab) -> Row:
    """Quality of the samples of a network that was trained for so many epochs, on the Karras grid."""
    network = lab.snapshot(row["model"], row["epochs"], row.get("training seed", 0))
    steps, nfe = affordable(row["sampler"], row["evaluations"])
    step = STEPS[row["sampler"]]
    made = draw(network, row["n"], 1.0, karras(steps), step, row["seed"], lab.device)
    return {"steps": steps, "nfe": nfe, **quality(made.images, made.labels, "mnist", lab.device)}


STUDIES = {
    "churn-and-quality": Study(
        what="Samplers with and without fresh noise, on checkpoints of one run of mnist-edm after 1, 3, 10 and 25 epochs",
        settings=for_seeds(
            {"model": "mnist-edm", "epochs": epochs, "sampler": sampler, "evaluations": evaluations, "n": N}
            for epochs in EPOCHS
            for sampler in SAMPLERS
            for evaluations in (40, 80)
        ),
        measure=measure,
    )
}
