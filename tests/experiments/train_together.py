"""Train in several processes on the CPU and keep what each of them saw. Run by test_distributed.py; argument: a folder.

One process imports torch, and forks those that train together: each run then costs a second and not an import.
"""

import copy
import os
import signal
import sys
from pathlib import Path

import torch
from experiments.tiny import TINY

from diffusion_course import CourseError
from diffusion_course.experiments import checkpoints, data
from diffusion_course.experiments.config import Config
from diffusion_course.experiments.distributed import joined
from diffusion_course.experiments.models import network
from diffusion_course.experiments.objectives import objective
from diffusion_course.experiments.recipe import Recipe
from diffusion_course.experiments.training import Trainer

STEPS, STOP = 6, 3
CONFIG = Config.of(TINY | {"label_dropout": 0.3})
with torch.random.fork_rng(devices=[]):
    torch.manual_seed(0)
    NET = network(CONFIG)
SET = data.stream("digits")


class Spoilt:
    """The config's objective, with something done to it before each value."""

    def __init__(self, spoil):
        whole = objective(CONFIG)
        self.draw, self.value = whole.draw, lambda net, x, *rest: spoil(x) * whole.value(net, x, *rest)


def trainer(processes=None, checkpoint=None, accumulate=1, spoil=None, said=None, **recipe):
    recipe = Recipe(**{"steps": STEPS, "batch_size": 16, "clip": 1e9} | recipe)
    loss = Spoilt(spoil) if spoil else objective(CONFIG)
    net = copy.deepcopy(NET)
    options = {"accumulate": accumulate, "processes": processes, "say": said or print}
    return Trainer(net, loss, SET.images, SET.labels, recipe, "cpu", checkpoint, 0.0, **options)


def kept(t, **more):
    gradients = {name: weight.grad for name, weight in t.net.named_parameters()}
    return {"step": t.step, "gradients": gradients, "weights": t.ema.state_dict(), **more}


def together(processes, name, folder, **options):
    """In one of the processes: train, and keep what is there at the end as name-RANK.pt."""
    said, written, told, losses = [], [], "", []
    write = checkpoints.write
    checkpoints.write = lambda path, state: written.append(state["step"]) or write(path, state)
    stop, spoil = options.pop("stop", None), options.pop("spoil", None)
    if options.get("checkpoint") and not processes.main:
        options["checkpoint"] = folder / "another machine" / "checkpoint.pt"  # sees no file of the first
    t = trainer(processes, spoil=spoil and spoil(processes, lambda: t.step), said=said.append, **options)
    start = t.step
    try:
        for progress in t.run():
            losses.append(progress.loss)
            if progress.step == stop:
                break
    except CourseError as error:
        told = str(error)
    except KeyboardInterrupt:
        told = "stopped"
    report = kept(t, start=start, said=said, written=written, told=told, losses=losses)
    torch.save(report, folder / f"{name}-{processes.rank}.pt")
    checkpoints.write = write


def full(processes, step):
    """The second process has memory for four rows."""

    def spoil(x):
        if processes.rank == 1 and len(x) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return 1

    return spoil


def told_to_stop(processes, step):
    """The launcher tells one of them in the third step."""

    def spoil(x):
        if processes.rank == 1 and step() == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return 1

    return spoil


def not_a_number(processes, step):
    return lambda x: float("nan") if processes.rank == 1 and step() == 2 else 1


def two(folder):
    processes, _ = joined("cpu")
    together(processes, "first-2-1", folder, steps=1)
    together(processes, "first-2-2", folder, steps=1, accumulate=2)
    together(processes, "full", folder, steps=1, spoil=full)
    for name in ("begun", "again"):
        together(processes, name, folder, checkpoint=folder / name / "checkpoint.pt", stop=STOP)
    for name, spoil in (("stopped", told_to_stop), ("nan", not_a_number)):
        together(processes, name, folder, checkpoint=folder / name / "checkpoint.pt", spoil=spoil)
    processes.end()


def three(folder):
    processes, _ = joined("cpu")
    together(processes, "first-3-1", folder, steps=1)
    together(processes, "resumed", folder, checkpoint=folder / "begun" / "checkpoint.pt")
    processes.end()


def main(folder):
    from accelerate import debug_launcher

    torch.set_num_threads(1)  # a forked process has one thread, whatever its parent had
    # An optimiser's first step imports for seconds; made here, without autograd, which does not outlive a fork.
    weight = torch.zeros(1, requires_grad=True)
    weight.grad = torch.zeros(1)
    torch.optim.AdamW([weight]).step()
    debug_launcher(two, (folder,), num_processes=2)
    debug_launcher(three, (folder,), num_processes=3)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
