"""Kill training with SIGKILL again and again; print what the checkpoint said after each death. Run by test_training.py.

One process imports torch and forks a trainer per round, so that a round costs milliseconds and not an import.
Argument: the checkpoint's path. Output, one line a round: the last step the trainer announced, and the step in the
checkpoint. The trainer writes its checkpoint after every step.
"""

import os
import random
import signal
import sys
import time

import torch
from experiments.training_runs import state_of, trainer

ROUNDS = 20


def train(path, announce):
    for progress in trainer(path, every=0.0).run():
        os.write(announce, progress.step.to_bytes(2, "little"))
    os._exit(0)


def main(path):
    torch.set_num_threads(1)  # a forked process has one thread, whatever its parent had
    # An optimiser's first step imports for seconds; made here, without autograd, which does not outlive a fork.
    weight = torch.zeros(1, requires_grad=True)
    weight.grad = torch.zeros(1)
    torch.optim.AdamW([weight]).step()
    chance = random.Random(0)
    for round in range(ROUNDS + 1):
        listen, announce = os.pipe()
        child = os.fork()
        if child == 0:
            train(path, announce)
        os.close(announce)
        steps = b""
        if round < ROUNDS:
            steps = os.read(listen, 2)
            started = time.perf_counter()
            steps = os.read(listen, 2)  # one more step, and so one checkpoint, is done: every round gets on
            time.sleep(chance.uniform(0, 1.5) * (time.perf_counter() - started))
            os.kill(child, signal.SIGKILL)
        while more := os.read(listen, 2):
            steps = more
        _, status = os.waitpid(child, 0)
        os.close(listen)
        assert status == (signal.SIGKILL if round < ROUNDS else 0), status
        print(
            int.from_bytes(steps, "little"), state_of(path)["step"] if os.path.exists(path) else 0, flush=True
        )


if __name__ == "__main__":
    main(sys.argv[1])
