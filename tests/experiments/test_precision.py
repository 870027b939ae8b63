"""The precision of a run: measured before its first step, kept when it goes on, and nothing else changed by it."""

import pytest
import torch
from training_runs import IMAGES, LABELS, assert_same, loss, network, run, state_of, tensors

from diffusion_course import CourseError
from diffusion_course.experiments import precision, training
from diffusion_course.experiments.precision import Precision, candidates, fastest, usual
from diffusion_course.experiments.training import Recipe, Trainer

SHORT = 12
CPU, GPU = torch.device("cpu"), torch.device("cuda")
SINGLE, HALF = Precision(None, torch.channels_last), Precision(torch.bfloat16, torch.contiguous_format)
THIRD = Precision(None, torch.contiguous_format)
UNLIKE = [HALF, THIRD, Precision(torch.bfloat16, torch.channels_last)]


class Race:
    """Trials that take the seconds given, one number a trial, the last one for ever after; a clock that they move; who was tried."""

    def __init__(self, seconds):
        self.seconds, self.now, self.tried = {k: list(v) for k, v in seconds.items()}, 0.0, []

    def made(self, one):
        def trial():
            self.tried.append(one)
            left = self.seconds[one]
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return trial

    def winner(self):
        return fastest(self.made, list(self.seconds), lambda: self.now)


@pytest.mark.parametrize(
    ("seconds", "wins"),
    [
        ({SINGLE: [1], HALF: [0.5]}, HALF),
        ({SINGLE: [0.5], HALF: [1]}, SINGLE),
        ({SINGLE: [1], HALF: [0.95]}, SINGLE),  # too little to round for
        ({SINGLE: [1], HALF: [0.89]}, HALF),
        ({SINGLE: [9, 1], HALF: [0.1, 2]}, SINGLE),  # the first of each warms up
        ({SINGLE: [1], HALF: [9, 1.2, 0.5]}, HALF),  # something else took the processor for a while
        ({SINGLE: [1], HALF: [0.7], THIRD: [0.6]}, THIRD),
    ],
)
def test_the_least_time_wins_where_it_pays(seconds, wins):
    assert Race(seconds).winner() == wins


def test_what_is_hopeless_is_not_tried_again():
    race = Race({SINGLE: [1], HALF: [17], THIRD: [1.2]})
    assert race.winner() == SINGLE
    assert race.tried.count(HALF) == 2
    assert race.tried.count(THIRD) == race.tried.count(SINGLE) == 1 + precision.TRIALS


def test_small_networks_stay_as_they_are():
    race = Race({SINGLE: [0.01], HALF: [0.0001]})
    assert race.winner() == SINGLE
    assert set(race.tried) == {SINGLE}


@pytest.mark.parametrize("amx", [False, True])
@pytest.mark.parametrize("avx512", [False, True])
def test_a_cpu_tries_bfloat16_only_where_it_has_it(monkeypatch, amx, avx512):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512, raising=False)
    assert usual(CPU, 4) == candidates(CPU, 4)[0] == SINGLE
    assert set(candidates(CPU, 4)) == {SINGLE, THIRD, *(UNLIKE if amx or avx512 else ())}
    assert [one.dtype for one in candidates(CPU, 2)] == [None, torch.bfloat16][: 1 + (amx or avx512)]
    assert {one.layout for one in candidates(CPU, 2)} == {torch.contiguous_format}


@pytest.mark.parametrize(("major", "dtype"), [(7, torch.float16), (8, torch.bfloat16), (9, torch.bfloat16)])
def test_a_gpu_trains_in_the_half_precision_that_it_has(monkeypatch, major, dtype):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (major, 5))
    assert usual(GPU, 4) == candidates(GPU, 4)[0] == Precision(dtype, torch.channels_last)
    assert len(candidates(GPU, 4)) == len(set(candidates(GPU, 4))) == 4
    assert usual(GPU, 2).layout == torch.contiguous_format


@pytest.mark.parametrize("one", [SINGLE, HALF, THIRD, Precision(torch.float16)])
def test_a_precision_has_names(one):
    assert Precision.of(*one.names()) == one
    assert str(one) == ", ".join(one.names())


@pytest.mark.parametrize("names", [("float64", "contiguous"), ("float32", "rows"), (None, None), ([], {})])
def test_other_names_are_refused(names):
    with pytest.raises(CourseError, match=r"^unknown "):
        Precision.of(*names)


# ---- in training


def fresh(path=None, loss=loss, **more):
    return Trainer(
        network(), loss, IMAGES, LABELS, Recipe(steps=SHORT, batch_size=8), "cpu", path, 0.0, **more
    )


def picked(monkeypatch, one, path=None):
    monkeypatch.setattr(training, "candidates", lambda device, ndim: [SINGLE, one])
    monkeypatch.setattr(training, "fastest", lambda *_: one)
    made = fresh(path)
    made.pick_precision()
    return made


@pytest.mark.parametrize("one", [SINGLE, *UNLIKE])
def test_the_run_is_that_of_the_precision_it_picked(monkeypatch, one):
    assert_same(run(picked(monkeypatch, one)), run(fresh(precision=one)))


@pytest.mark.parametrize("one", UNLIKE)
def test_images_and_weights_lie_in_memory_as_is_picked(monkeypatch, one):
    seen = []

    def watching(net, images, labels, generator):
        seen.append((images.is_contiguous(memory_format=one.layout), torch.is_autocast_enabled("cpu")))
        return loss(net, images, labels, generator)

    t = picked(monkeypatch, one)
    t.loss = watching
    run(t)
    assert seen == [(True, one.dtype is not None)] * SHORT
    assert all(net[0].weight.is_contiguous(memory_format=one.layout) for net in (t.net, t.ema))


@pytest.mark.parametrize("one", [SINGLE, *UNLIKE])
def test_a_trial_computes_and_changes_nothing(one):
    t, before = fresh(), torch.random.get_rng_state()
    weights, seen = tensors(t), []

    def watching(net, images, labels, generator):
        seen.append(
            (len(images), images.is_contiguous(memory_format=one.layout), torch.is_autocast_enabled("cpu"))
        )
        return loss(net, images, labels, generator)

    t.loss = watching
    trial = t._trial(one)
    trial()
    trial()
    assert seen == [(8, True, one.dtype is not None)] * 2
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(value, weights[name]) for name, value in tensors(t).items())
    assert all(weight.grad is None for weight in t.net.parameters())
    t.loss = loss
    assert_same(run(t), run(fresh()))


def test_a_tiny_network_is_measured_in_no_time():
    t = fresh()
    t.pick_precision()
    assert t.precision == usual(CPU, 4)


def test_full_memory_leaves_the_usual(monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(training, "candidates", lambda device, ndim: [SINGLE, HALF])
    monkeypatch.setattr(training, "fastest", full)
    t = fresh()
    t.pick_precision()
    assert t.precision == SINGLE


def test_a_run_goes_on_in_its_precision(monkeypatch, tmp_path):
    path = tmp_path / "checkpoint.pt"
    whole, t = run(picked(monkeypatch, HALF)), picked(monkeypatch, HALF, path)
    for progress in t.run():
        if progress.step == 5:
            break
    monkeypatch.setattr(training, "fastest", lambda *_: pytest.fail("it was measured before"))
    resumed = fresh(path)
    resumed.pick_precision()
    assert (resumed.step, resumed.precision) == (5, HALF)
    assert_same(run(resumed), whole)


def test_a_run_of_another_device_goes_on_in_what_is_usual_here(monkeypatch, tmp_path):
    path = tmp_path / "checkpoint.pt"
    run(picked(monkeypatch, HALF, path))
    state = state_of(path)
    state["precision"][0] = "cuda"
    torch.save(state, path)
    assert fresh(path).precision == SINGLE
    assert fresh(path, precision=THIRD).precision == THIRD


@pytest.mark.parametrize(
    "held", [None, [], ["cpu"], ["cpu", "float64", "contiguous"], ["cpu", "float32", 3], "cpu"]
)
def test_a_checkpoint_with_another_thing_there_is_damaged(tmp_path, held):
    path = tmp_path / "checkpoint.pt"
    run(fresh(path))
    torch.save(state_of(path) | {"precision": held}, path)
    with pytest.raises(CourseError, match="damaged"):
        fresh(path)


def test_an_update_from_elsewhere_keeps_the_usual(monkeypatch):
    monkeypatch.setattr(training, "fastest", lambda *_: pytest.fail("there is no loss to try"))
    t = Trainer(network(), None, IMAGES, LABELS, Recipe(steps=2, batch_size=8), update=lambda *_: 0.0)
    t.pick_precision()
    assert t.precision == SINGLE
