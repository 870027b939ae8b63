"""The training loop: it learns, by seed; it resumes to the last bit; and no death or full disk costs a checkpoint."""

import io
import itertools
import math
import os
import resource
import signal
import threading
from pathlib import Path

import pytest
import torch
from experiments.training_runs import (
    IMAGES,
    LABELS,
    STEPS,
    assert_same,
    loss,
    network,
    run,
    state_of,
    tensors,
    trainer,
)
from oracles import exponential_average
from torch import nn

from diffusion_course import CourseError
from diffusion_course.experiments.pixels import scaled
from diffusion_course.experiments.training import Recipe, Trainer

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def one_thread():
    """Sums over threads may differ in their order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def steps_of(trainer, n):
    """Train for n steps and walk away, as a loop that is left by `break`."""
    if n:
        for progress in trainer.run():
            if progress.step == n:
                break
    return trainer


def message(call, *args, **kwargs):
    with pytest.raises(CourseError) as caught:
        call(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ---- learning


def test_the_loss_falls():
    def regression(net, x, y, generator):
        return (net(x) - 3 * x.sum((1, 2, 3))[:, None] - 1).square().mean()

    net = nn.Sequential(nn.Flatten(), nn.Linear(32, 1))
    losses = [p.loss for p in trainer(net=net, loss=regression, steps=200, lr=0.3, clip=100.0).run()]
    assert len(losses) == 200
    assert sum(losses[-10:]) < 1e-2 * sum(losses[:10])


def test_an_update_that_is_written_elsewhere_trains_as_the_loops_own():
    """The same loss, clipping, optimiser and average, from what the trainer tells of the step."""

    def plain(net, x, y, generator=None):
        return nn.functional.cross_entropy(net(x), y)

    def update(t, x, y):
        t.optimizer.param_groups[0]["lr"] = t.lr
        t.optimizer.zero_grad()
        (value := plain(t.net, x, y)).backward()
        nn.utils.clip_grad_norm_(t.net.parameters(), t.recipe.clip)
        t.optimizer.step()
        with torch.no_grad():
            for average, weight in zip(t.ema.parameters(), t.net.parameters(), strict=True):
                average.lerp_(weight, 1 - t.decay)
            for average, buffer in zip(t.ema.buffers(), t.net.buffers(), strict=True):
                average.copy_(buffer)
        return value.item()

    theirs, mine = run(trainer(loss=plain, steps=30)), run(trainer(loss=None, update=update, steps=30))
    assert_same(theirs, mine)


def test_an_update_has_draws_of_its_own_in_every_step():
    seen = []

    def update(t, x, y):
        seen.append(t.draws.randn(3))
        return 0.0

    run(trainer(loss=None, update=update, steps=5))
    again = seen.copy()
    run(trainer(loss=None, update=update, steps=5))
    assert torch.equal(torch.stack(again), torch.stack(seen[5:]))
    assert len(torch.stack(again).unique()) == 15


def test_an_update_whose_loss_is_not_finite_stops_the_training():
    t = trainer(loss=None, update=lambda t, x, y: math.inf, lr=0.5)
    assert message(list, t.run()) == "training: the loss is inf at step 1; lower lr (now 0.5)"


@pytest.mark.parametrize("update", [None, lambda t, x, y: 0.0])
def test_a_loop_has_a_loss_or_an_update(update):
    assert "want one of them" in message(
        trainer, loss=None if update is None else lambda *_: 0.0, update=update
    )


def test_bytes_are_scaled_batch_by_batch_to_the_same_run():
    pixels = torch.randint(
        0, 256, (40, 2, 4, 4), generator=torch.Generator().manual_seed(0), dtype=torch.uint8
    )
    in_advance, by_batch = (run(trainer(images=images, steps=3)) for images in (scaled(pixels), pixels))
    assert scaled(pixels).min() == -1
    assert scaled(pixels).max() == 1
    assert_same(in_advance, by_batch)


def test_progress_counts_steps_and_seconds():
    seen = []
    t = trainer(steps=5)
    reports = list(t.run(progress=lambda steps: seen.append(steps) or steps))
    assert [r.step for r in reports] == [1, 2, 3, 4, 5]
    assert seen == [range(5)]
    assert all(a.seconds < b.seconds for a, b in itertools.pairwise(reports))
    assert t.seconds == reports[-1].seconds
    assert all(math.isfinite(r.loss) for r in reports)


def test_the_averaged_network_is_for_use_and_the_other_for_training():
    t = run(trainer(steps=3))
    assert t.net.training
    assert not t.ema.training
    assert not any(weight.requires_grad for weight in t.ema.parameters())


@pytest.mark.parametrize("ema", [0.0, 0.5, 0.9])
def test_ema_is_the_textbook_average(ema):
    """Decay min(ema, (1 + s) / (10 + s)) at step s; batch-norm statistics, averages already, are copied."""
    t = trainer(steps=30, ema=ema)
    start = {k: v.clone() for k, v in t.net.named_parameters()}
    seen = {k: [] for k in start}
    for _ in t.run():
        for name, weight in t.net.named_parameters():
            seen[name].append(weight.detach().double())
    for name, average in t.ema.named_parameters():
        expected = exponential_average(
            start[name].double(), seen[name], lambda s: min(ema, (1 + s) / (10 + s))
        )
        torch.testing.assert_close(average.double(), expected, rtol=1e-5, atol=1e-6)
    for (_, average), (_, buffer) in zip(t.ema.named_buffers(), t.net.named_buffers(), strict=True):
        assert torch.equal(average, buffer)


@pytest.mark.parametrize("warmup", [0, 1, 50])
def test_the_learning_rate_climbs_a_line_and_falls_along_a_cosine(warmup):
    recipe = Recipe(steps=400, lr=0.5, warmup=warmup)
    for step in range(400):
        cosine = 0.25 * (1 + math.cos(math.pi * step / 400))
        expected = cosine * (step + 1) / (warmup + 1) if step < warmup else cosine
        assert recipe.lr_at(step) == pytest.approx(expected)
    assert recipe.lr_at(399) < 1e-4


@pytest.mark.parametrize("decay", [0.1, 0.25, 0.5])
def test_until_it_falls_a_run_does_not_depend_on_its_length(decay):
    short, long = (Recipe(steps=steps, warmup=10, decay=decay, lr=0.5) for steps in (400, 1000))
    start = round(400 * (1 - decay))
    assert [short.lr_at(s) for s in range(start)] == [long.lr_at(s) for s in range(start)]
    assert all(short.lr_at(s) == 0.5 for s in range(10, start + 1))
    falling = [short.lr_at(s) for s in range(start, 400)]
    assert all(a > b > 0 for a, b in itertools.pairwise(falling))
    assert short.lr_at(start + (400 - start) // 2) == pytest.approx(0.25)
    assert falling[-1] < 0.5 * (2 / (400 - start)) ** 2 * math.pi**2


def test_a_fall_shorter_than_a_step():
    assert [Recipe(steps=3, warmup=0, decay=5e-324, lr=1.0).lr_at(s) for s in range(3)] == [1.0] * 3


def test_the_optimiser_runs_at_that_rate_and_on_clipped_gradients():
    t = trainer(steps=8, clip=1e-3)
    for progress in t.run():
        assert t.optimizer.param_groups[0]["lr"] == t.recipe.lr_at(progress.step - 1)
        norm = torch.stack([w.grad.norm() for w in t.net.parameters()]).norm()
        assert norm == pytest.approx(1e-3, rel=1e-3)


# ---- seeds


def test_a_seed_decides_everything():
    same, again, other = run(trainer(steps=20)), run(trainer(steps=20)), run(trainer(steps=20, seed=1))
    assert_same(same, again)
    assert not torch.equal(tensors(same)["net.0.weight"], tensors(other)["net.0.weight"])


def test_the_global_generator_neither_matters_nor_changes():
    torch.manual_seed(1)
    first, after = run(trainer(steps=5)), torch.rand(3)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(3), after)
    assert_same(first, run(trainer(steps=5)))


def test_batches_differ_from_step_to_step():
    batches = []

    def watch(net, images, labels, generator):
        batches.append((images, labels))
        return loss(net, images, labels, generator)

    run(trainer(steps=6, loss=watch))
    assert len({images.numpy().tobytes() for images, _ in batches}) == 6
    for images, labels in batches:  # labels belong to their images
        rows = [(image == IMAGES).flatten(1).all(1).nonzero()[0, 0] for image in images]
        assert LABELS[torch.stack(rows)].tolist() == labels.tolist()


# ---- exact resume


SHORT = 12


@pytest.mark.parametrize("stop", [1, 2, 7, SHORT - 1, SHORT])
def test_a_resumed_run_is_the_uninterrupted_one(tmp_path, stop):
    path = tmp_path / "deep" / "checkpoint.pt"
    first = steps_of(trainer(path, steps=SHORT), stop)
    assert state_of(path)["step"] == stop
    second = trainer(path, steps=SHORT, net=network(seed=5))  # another start: all must come from the file
    assert (second.step, second.seconds) == (stop, first.seconds)
    assert_same(first, second)
    assert [p.step for p in second.run()] == list(range(stop + 1, SHORT + 1))
    assert_same(second, run(trainer(steps=SHORT)))
    assert not list(tmp_path.rglob("*.part"))


def test_a_run_in_many_pieces(tmp_path):
    path = tmp_path / "checkpoint.pt"
    while not path.exists() or state_of(path)["step"] < SHORT:
        t = trainer(path, steps=SHORT)
        steps_of(t, t.step + 1)
    assert_same(trainer(path, steps=SHORT), run(trainer(steps=SHORT)))


def test_a_finished_run_has_nothing_left_to_do(tmp_path):
    path = tmp_path / "checkpoint.pt"
    first = run(trainer(path, steps=SHORT))
    again = trainer(path, steps=SHORT)
    assert list(again.run()) == []
    assert_same(first, again)


@pytest.fixture
def ctrl_c():
    """Python's own answer to SIGINT, also where pytest was started in the background, which ignores the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_lands_between_two_steps(tmp_path):
    """An interrupt in the middle of a step lets it finish, so that the checkpoint is a whole number of steps."""
    path = tmp_path / "checkpoint.pt"

    def interrupted(net, images, labels, generator):
        value = loss(net, images, labels, generator)
        if t.step == 4:
            signal.raise_signal(signal.SIGINT)
        return value

    t = trainer(path, steps=SHORT, loss=interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(t)
    assert state_of(path)["step"] == 5
    assert_same(run(trainer(path, steps=SHORT)), run(trainer(steps=SHORT)))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("ctrl_c")
def test_a_second_ctrl_c_does_not_wait_and_half_a_step_is_not_saved(tmp_path):
    path = tmp_path / "checkpoint.pt"

    def impatient(net, images, labels, generator):
        value = loss(net, images, labels, generator)
        if t.step == 4:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        return value

    t = trainer(path, steps=SHORT, loss=impatient, every=0.0)
    with pytest.raises(KeyboardInterrupt):
        run(t)
    assert state_of(path)["step"] == 4
    assert_same(run(trainer(path, steps=SHORT)), run(trainer(steps=SHORT)))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_training_works_in_a_thread(tmp_path):
    """Only the main thread may hold signals back."""
    t = trainer(tmp_path / "checkpoint.pt", steps=SHORT)
    thread = threading.Thread(target=run, args=[t])
    thread.start()
    thread.join()
    assert_same(t, run(trainer(steps=SHORT)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_kill_minus_nine_at_any_moment(tmp_path, run_python):
    """A real process with a checkpoint after each step, killed 20 times: no checkpoint is lost, no weight differs."""
    path = tmp_path / "checkpoint.pt"
    found = os.pathsep.join(
        map(str, (HERE.parent, HERE.parents[1]))
    )  # the tests, and the package beside them
    done = run_python(HERE / "kill_training.py", path, env={"OMP_NUM_THREADS": "1", "PYTHONPATH": found})
    assert done.returncode == 0, done.stderr
    rounds = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    assert len(rounds) == 21
    saved = [step for _, step in rounds]
    assert all(a < b for a, b in itertools.pairwise(saved))
    for announced, step in rounds[:-1]:
        assert announced - 1 <= step <= announced  # at most the one step since the last checkpoint is gone
    assert saved[-1] == STEPS
    torch.set_num_threads(1)
    assert_same(trainer(path), run(trainer()))


# ---- checkpoints that do not fit


def corrupt(content, kind):
    buffer = io.BytesIO()
    torch.save({"what": "another file"}, buffer)
    return {
        "empty": b"",
        "half": content[: len(content) // 2],
        "all but the end": content[:-30],
        "a hole": content[:2000] + bytes(len(content) - 4000) + content[-2000:],
        "garbage": b"garbage" * 1000,
        "another file": buffer.getvalue(),
    }[kind]


@pytest.mark.parametrize("kind", ["empty", "half", "all but the end", "a hole", "garbage", "another file"])
def test_a_damaged_checkpoint_is_one_line(tmp_path, kind):
    path = tmp_path / "checkpoint.pt"
    run(trainer(path, steps=2))
    path.write_bytes(corrupt(path.read_bytes(), kind))
    text = message(trainer, path, steps=2)
    assert text == f"checkpoint {path}: damaged, or no checkpoint of this course; delete it to start afresh"


def test_a_flipped_bit_anywhere_is_told_or_changes_nothing(tmp_path):
    path = tmp_path / "checkpoint.pt"
    run(trainer(path, steps=2))
    whole, mine = path.read_bytes(), trainer(path, steps=2)._state()
    refused = 0
    for place in range(37, len(whole), len(whole) // 60):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << place % 8
        path.write_bytes(flipped)
        theirs = state_or_message(path)
        if isinstance(theirs, str):
            assert theirs.startswith(f"checkpoint {path}: damaged")
            refused += 1
            continue
        for part in ("net", "ema"):
            torch.testing.assert_close(theirs[part], mine[part], rtol=0, atol=0)
        assert str(theirs["optimizer"]) == str(mine["optimizer"])
    assert refused > 10


def test_an_entry_that_torch_would_take_for_a_folder_is_damage(tmp_path):
    """It would be left unread: weights as memory happened to be."""
    path = tmp_path / "checkpoint.pt"
    run(trainer(path, steps=2))
    whole = path.read_bytes()
    entry = whole.rindex(b"PK\x01\x02", 0, whole.rindex(b"data/7"))
    path.write_bytes(whole[: entry + 38] + bytes([whole[entry + 38] | 0x10]) + whole[entry + 39 :])
    assert "damaged" in message(trainer, path, steps=2)


def state_or_message(path):
    try:
        return trainer(path, steps=2)._state()
    except CourseError as error:
        return str(error)


def test_a_checkpoint_that_would_run_code_does_not(tmp_path):
    path, trap = tmp_path / "checkpoint.pt", tmp_path / "trap"

    class Code:
        def __reduce__(self):
            return (open, (str(trap), "w"))

    torch.save({"recipe": Code()}, path)
    assert "damaged, or no checkpoint of this course" in message(trainer, path)
    assert not trap.exists()


def test_a_checkpoint_of_another_architecture(tmp_path):
    path = tmp_path / "checkpoint.pt"
    run(trainer(path, steps=2))
    for other in (network(width=8), nn.Sequential(network(), nn.Identity()), nn.Linear(3, 3)):
        before = {k: v.clone() for k, v in other.state_dict().items()}
        text = message(trainer, path, steps=2, net=other)
        assert text == f"checkpoint {path}: belongs to another architecture; use a new folder, --out"
        assert all(
            torch.equal(before[k], v) for k, v in other.state_dict().items()
        )  # the network is as it was


def test_a_checkpoint_of_another_recipe(tmp_path):
    path = tmp_path / "checkpoint.pt"
    run(trainer(path, steps=2))
    text = message(trainer, path, steps=3, seed=7)
    assert (
        text
        == f"checkpoint {path}: its run had seed 0 (asked: 7), steps 2 (asked: 3); use a new folder, --out"
    )


def test_a_checkpoint_that_is_a_folder(tmp_path):
    assert message(trainer, tmp_path) == f"checkpoint {tmp_path}: cannot be read (Is a directory)"


def test_a_checkpoint_of_other_data_or_of_another_run(tmp_path):
    """What the recipe does not hold: the data, and what the caller says of the run."""
    path = tmp_path / "checkpoint.pt"
    about = {"model": "flow", "net": {"widths": [8], "dropout": 0.1}}
    run(trainer(path, steps=2, about=about))
    assert trainer(path, steps=2, about=about).step == 2
    changes = {
        "other images": {"images": IMAGES + 1e-6},
        "other labels": {"labels": LABELS.flip(0)},
        "model 'flow' (asked: 'edm'), net.widths [8] (asked: [16])": {
            "about": {"model": "edm", "net": {"widths": [16], "dropout": 0.1}}
        },
        "data none (asked: 'digits')": {"about": about | {"data": "digits"}},
        "model 'flow' (asked: none), other net": {"about": {}},
    }
    for names, change in changes.items():
        text = message(trainer, path, steps=2, **({"about": about} | change))
        assert text == f"checkpoint {path}: its run had {names}; use a new folder, --out"


ODD = (
    None,
    {},
    [],
    "3",
    2.5,
    -5,
    99,
    math.nan,
    torch.zeros(2),
    {"scale": "x"},
    {"state": {0: {}}},
)


@pytest.mark.parametrize("key", ["run", "step", "seconds", "places", "net", "ema", "optimizer", "scaler"])
def test_a_value_that_does_not_belong_there_is_damage(tmp_path, key):
    """Each key in turn is missing, or holds what no run wrote. The network is as it was, and nothing fails later."""
    path = tmp_path / "checkpoint.pt"
    run(trainer(path, steps=4))
    good = state_of(path)
    for value in ("missing", *ODD):
        bad = {k: v for k, v in good.items() if k != key} | ({} if value == "missing" else {key: value})
        torch.save(bad, path)
        net = network(seed=5)
        before = {k: v.clone() for k, v in net.state_dict().items()}
        if isinstance(value, dict | float) and (key, value) in (
            ("scaler", {}),
            ("seconds", 2.5),
        ):  # as a run may have written
            assert trainer(path, steps=4).step == 4
            continue
        text = message(trainer, path, steps=4, net=net)
        assert "damaged" in text or (key in ("run", "net") and ("another" in text or "its run had" in text))
        assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())


def test_moments_and_weights_that_do_not_fit_are_damage(tmp_path):
    path = tmp_path / "checkpoint.pt"
    run(trainer(path, steps=4))

    def spoil(change):
        state = state_of(path)
        change(state)
        torch.save(state, path.with_name("spoilt.pt"))
        return message(trainer, path.with_name("spoilt.pt"), steps=4)

    slots = "optimizer", "state", 0
    for change in (
        lambda s: s["ema"]["0.weight"].fill_(math.nan),
        lambda s: s["ema"].pop("0.weight"),
        lambda s: s["ema"].update({"0.weight": torch.zeros(3)}),
        lambda s: s[slots[0]][slots[1]][slots[2]].pop("exp_avg"),
        lambda s: s[slots[0]][slots[1]][slots[2]].update(exp_avg_sq=torch.zeros(1)),
        lambda s: s[slots[0]][slots[1]].update({77: {}}),
    ):
        assert "damaged" in spoil(change)


@pytest.mark.parametrize(
    ("before", "after"), [(None, torch.float16), (torch.float16, None), (torch.float16, torch.float16)]
)
def test_a_run_goes_on_where_mixed_precision_is_another(tmp_path, before, after):
    """From a CPU or an A100, without a scale of gradients, to a T4, which needs one, and back."""
    path = tmp_path / "checkpoint.pt"
    steps_of(trainer(path, steps=SHORT, amp=before), 5)
    resumed = trainer(path, steps=SHORT, amp=after)
    assert resumed.step == 5
    assert run(resumed).step == SHORT
    assert resumed.scaler.is_enabled() == (after is not None)


# ---- writing


def test_a_checkpoint_larger_than_the_disk(tmp_path):
    """A real refusal by the operating system, in the middle of torch.save: a limit on the size of files."""
    path = tmp_path / "checkpoint.pt"
    t = trainer(path, steps=4, net=network(width=64))
    steps_of(t, 2)
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))
    try:
        text = message(t.save)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert text.startswith(f"cannot write {path}: ")
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["checkpoint.pt"]


# ---- bad data and bad numbers


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_bad_images(bad):
    images = IMAGES.clone()
    images[3, 1, 2, 2] = bad
    assert message(trainer, images=images).startswith("images: hold NaN or infinity")


def test_images_and_labels_that_do_not_match():
    assert message(trainer, labels=LABELS[:-1]) == "labels: got shape (39,), want (40,)"
    assert message(trainer, images=IMAGES[:0], labels=LABELS[:0]).startswith("images: got shape (0, 2, 4, 4)")


class Poison(torch.autograd.Function):
    """The identity, with a gradient that is not a number."""

    @staticmethod
    def forward(context, x):
        return x.clone()

    @staticmethod
    def backward(context, gradient):
        return gradient * math.nan


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda value: value * math.nan, "the loss is nan at step 3"),
        (lambda value: value * math.inf, "the loss is inf at step 3"),
        (Poison.apply, "the gradient is nan at step 3"),
    ],
)
def test_not_a_number_is_named_and_reaches_neither_weights_nor_checkpoint(tmp_path, spoil, named):
    path = tmp_path / "checkpoint.pt"

    def spoilt(net, images, labels, generator):
        value = loss(net, images, labels, generator)
        return spoil(value) if t.step == 2 else value

    t = trainer(path, steps=SHORT, loss=spoilt, every=0.0)
    assert message(run, t) == f"training: {named}; lower lr (now 0.01)"
    assert all(torch.isfinite(value).all() for value in tensors(t).values())
    assert state_of(path)["step"] == 2
    assert_same(run(trainer(path, steps=SHORT)), run(trainer(steps=SHORT)))


def test_a_full_memory_is_met_with_advice():
    def full(net, images, labels, generator):
        raise RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: you tried\nmore"
        )

    assert message(run, trainer(loss=full)).startswith("out of memory: halve batch_size (now 8)")


def test_a_full_gpu_is_met_with_advice():
    def full(net, images, labels, generator):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nmore")

    text = message(run, trainer(loss=full))
    assert text.startswith("out of GPU memory, even with one image at a time: use a smaller network")
    text = message(run, trainer(loss=None, update=lambda t, x, y: full(t.net, x, y, None)))
    assert text.startswith("out of GPU memory: halve batch_size (now 8)")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"steps": 0}, "steps: got 0, want an integer >= 1"),
        ({"steps": 2.5}, "steps: got 2.5, want an integer >= 1"),
        ({"batch_size": True}, "batch_size: got True, want an integer >= 1"),
        ({"warmup": -1}, "warmup: got -1, want an integer >= 0"),
        ({"seed": -1}, "seed: got -1, want an integer >= 0"),
        ({"lr": 0.0}, "lr: got 0.0, want a number above 0, up to 100"),
        ({"lr": "2e-3"}, "lr: got '2e-3', want a number above 0, up to 100"),
        ({"lr": math.nan}, "lr: got nan, want a number above 0, up to 100"),
        ({"decay": 0}, "decay: got 0, want a number in 0..1, above 0"),
        ({"decay": 1.5}, "decay: got 1.5, want a number in 0..1, above 0"),
        ({"clip": 0}, "clip: got 0, want a number > 0"),
        ({"weight_decay": -0.1}, "weight_decay: got -0.1, want a number in 0..1 / lr"),
        ({"ema": 1.0}, "ema: got 1.0, want a number in 0..1, below 1"),
    ],
)
def test_a_bad_recipe(arguments, expected):
    assert message(Recipe, **({"steps": 10} | arguments)) == expected


# ---- devices


def test_training_in_mixed_precision_resumes_exactly_too(tmp_path):
    path, bf16 = tmp_path / "checkpoint.pt", {"steps": SHORT, "amp": torch.bfloat16}
    steps_of(trainer(path, **bf16), 5)
    resumed, whole = run(trainer(path, **bf16)), run(trainer(**bf16))
    assert_same(resumed, whole)
    assert tensors(whole)["net.0.weight"].dtype == torch.float32
    assert not torch.equal(tensors(whole)["net.0.weight"], tensors(run(trainer(steps=SHORT)))["net.0.weight"])


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_training_on_a_gpu_learns_and_resumes(tmp_path):
    def on_gpu(net, images, labels, generator):
        noise = torch.randn(images.shape, generator=generator).to(images)
        return nn.functional.cross_entropy(net(images + 0.1 * noise), labels)

    def gpu_trainer():
        recipe = Recipe(steps=30, batch_size=8, lr=0.01, warmup=5)
        return Trainer(network(), on_gpu, IMAGES, LABELS, recipe, "cuda", tmp_path / "checkpoint.pt")

    steps_of(gpu_trainer(), 10)
    losses = [p.loss for p in gpu_trainer().run()]
    assert len(losses) == 20
    assert sum(losses[-5:]) < sum(losses[:5])
