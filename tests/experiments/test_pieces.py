"""A batch in pieces has the whole batch's gradient, whatever the objective; and a GPU that is full makes the pieces smaller."""

import pytest
import torch
from experiments.training_runs import assert_same, network, run, tensors, trainer
from torch import nn

from diffusion_course import CourseError
from diffusion_course.experiments.config import Config
from diffusion_course.experiments.models import network as network_of
from diffusion_course.experiments.objectives import Objective, objective
from diffusion_course.experiments.pieces import spans
from diffusion_course.experiments.training import Recipe, Trainer

UNET = {"image_size": 8, "widths": [8, 8], "attention": [4], "num_classes": 10}
HYBRID = {"loss": "hybrid", "schedule": {"kind": "cosine", "T": 20}, "net": UNET | {"learned_variance": True}}
CONFIGS = {
    "flow": {"model": "flow"},
    "edm": {"model": "edm"},
    "eps": {"model": "eps-cosine"},
    "min-snr": {"model": "flow", "loss": "min-snr"},
    "bound": {"model": "eps-cosine", "loss": "vlb"},
    "hybrid": {"model": "eps-cosine", **HYBRID},
    "learned bound": {"model": "eps-cosine", **HYBRID, "loss": "vlb"},
    "transformer": {
        "model": "flow",
        "net": {"kind": "dit", "image_size": 8, "patch_size": 2, "width": 12, "depth": 1},
    },
    "autoencoder": {"model": "autoencoder", "net": {"image_size": 8, "latent_channels": 2, "widths": [8, 8]}},
    "no classes": {"model": "edm", "net": UNET | {"num_classes": 0}},
    "classifier": {
        "model": "classifier",
        "net": {"num_classes": 10},
        "loss": {"kind": "cross-entropy", "shift": 2},
    },
    "noisy classifier": {"model": "noisy-classifier", "net": {"image_size": 8, "num_classes": 10}},
}


@pytest.fixture(autouse=True)
def one_thread():
    """Sums over threads may differ in their order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def always_eval(layer):
    layer.eval()
    layer.train = lambda mode: layer


def first_step(config, loss=None, batch_size=10, **options):
    """The trainer after one step, with the gradient of that step in its network, in float64."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = network_of(config)
        images = torch.rand(30, 1, 8, 8).mul(2).sub(1)
    for layer in net.modules():  # their statistics, and what they drop, are a piece's own
        if isinstance(layer, nn.BatchNorm2d):
            always_eval(layer)
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    recipe = Recipe(steps=1, batch_size=batch_size, clip=1e9)
    t = Trainer(net, loss or objective(config), images, torch.arange(30) % 10, recipe, **options)
    (progress,) = t.run()
    return t, progress.loss


def gradients(t):
    return torch.cat([w.grad.flatten() for w in t.net.parameters() if w.grad is not None])


@pytest.mark.parametrize("name", CONFIGS)
def test_the_gradient_of_a_batch_is_that_of_its_pieces(name):
    config = Config.of({"data": "digits", "net": UNET, "recipe": {"steps": 1}} | CONFIGS[name])
    whole, loss = first_step(config)
    assert gradients(whole).abs().max() > 1e-3
    for accumulate in (3, 10, 99):
        pieces, same = first_step(config, accumulate=accumulate)
        assert same == pytest.approx(loss, rel=1e-5)
        assert (gradients(pieces) - gradients(whole)).abs().max() <= 1e-6 * max(
            1, gradients(whole).abs().max()
        )


def test_a_loss_that_draws_nothing_may_be_any_function():
    def squares(net, x, y, generator):
        return net(x).square().mean()

    whole, pieces = (run(trainer(net=plain(), loss=squares, steps=1, accumulate=n)) for n in (1, 4))
    for a, b in zip(whole.net.parameters(), pieces.net.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-5, atol=1e-7)


def plain():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(32, 3))


def test_rows_are_spread_evenly():
    assert spans(0, 10, 3) == [(0, 3), (3, 6), (6, 10)]
    assert spans(5, 7, 9) == [(5, 6), (6, 7)]
    for n in range(1, 40):
        for count in range(1, 45):
            got = spans(3, 3 + n, count)
            assert [row for low, high in got for row in range(low, high)] == list(range(3, 3 + n))
            assert max(b - a for a, b in got) - min(b - a for a, b in got) <= 1


def test_a_run_in_pieces_resumes_to_the_last_bit(tmp_path):
    path = tmp_path / "checkpoint.pt"
    for progress in trainer(path, steps=6, accumulate=3).run():
        if progress.step == 2:
            break
    resumed = trainer(path, steps=6, accumulate=3)
    assert resumed.step == 2
    assert_same(run(resumed), run(trainer(steps=6, accumulate=3)))


def test_a_run_may_go_on_in_other_pieces(tmp_path):
    path = tmp_path / "checkpoint.pt"
    run(trainer(path, steps=4))
    assert trainer(path, steps=4, accumulate=2).step == 4


# ---- a full GPU


def with_room_for(rows, seen):
    def loss(net, x, y, generator):
        seen.append(len(x))
        if len(x) > rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nmore")
        return nn.functional.cross_entropy(net(x), y)

    return loss


def test_a_full_gpu_halves_the_pieces_until_they_fit_and_says_so():
    seen, said = [], []
    t = run(trainer(net=plain(), loss=with_room_for(2, seen), steps=3, say=said.append))
    assert seen == [8, 4, 2, 2, 2, 2] + [2] * 8  # tried whole, and in halves; then always in quarters
    assert said == [
        "out of GPU memory: 8 images are now computed in 2 pieces, whose gradients add up",
        "out of GPU memory: 8 images are now computed in 4 pieces, whose gradients add up",
    ]
    assert_same(t, run(trainer(net=plain(), loss=with_room_for(8, []), steps=3, accumulate=4)))
    for name, value in tensors(run(trainer(net=plain(), loss=with_room_for(8, []), steps=3))).items():
        torch.testing.assert_close(tensors(t)[name], value, rtol=1e-4, atol=1e-6)


def test_what_was_done_before_memory_ran_out_is_not_counted_twice():
    """The second piece does not fit: the first one's gradient is dropped with it."""
    calls = []

    def loss(net, x, y, generator):
        calls.append(len(x))
        if len(calls) == 2:
            raise torch.OutOfMemoryError
        return nn.functional.cross_entropy(net(x), y)

    t = run(trainer(net=plain(), loss=loss, steps=1, accumulate=2, say=lambda line: None))
    assert calls == [4, 4, 2, 2, 2, 2]
    assert_same(t, run(trainer(net=plain(), loss=with_room_for(8, []), steps=1, accumulate=4)))


def test_where_one_image_is_too_much_the_run_ends_and_its_checkpoint_stays(tmp_path):
    path = tmp_path / "checkpoint.pt"
    run(trainer(path, net=plain(), loss=with_room_for(8, []), steps=3))
    before = path.read_bytes()
    t = trainer(path, net=plain(), loss=with_room_for(0, []), steps=3, say=lambda line: None)
    t.step = 2
    with pytest.raises(CourseError, match=r"^out of GPU memory, even with one image at a time: [^\n]*$"):
        run(t)
    assert path.read_bytes() == before


@pytest.mark.parametrize("accumulate", [0, -1, 2.5, True])
def test_a_bad_number_of_pieces(accumulate):
    with pytest.raises(CourseError, match="accumulate: got"):
        trainer(accumulate=accumulate)


def test_a_loss_that_compares_rows_takes_whole_batches():
    """In a piece each row would have fewer to be told from. So a full GPU gets advice."""

    def full(net, x, y):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    loss = Objective(lambda net, shape, labels, generator: (), full, splits=False)
    with pytest.raises(CourseError, match="loss: takes whole batches; want accumulate=1 and one process"):
        trainer(loss=loss, accumulate=2)
    with pytest.raises(CourseError, match=r"out of GPU memory: halve batch_size \(now 8\)"):
        run(trainer(loss=loss))
    given = {"model": "clip", "data": "mnist-captions", "recipe": {"steps": 1}}
    assert not objective(Config.of(given)).splits
    assert objective(Config.of(given | {"model": "text"})).splits


def test_an_update_that_is_written_elsewhere_takes_whole_batches():
    with pytest.raises(CourseError, match="update: takes whole batches"):
        trainer(loss=None, update=lambda t, x, y: 0.0, accumulate=2)


# ---- torch.compile


def test_a_compiled_network_keeps_its_names_and_learns_the_same():
    net = network()
    compiled = trainer(net=net, steps=3)
    compiled.net.compile(backend="eager")
    run(compiled)
    assert list(compiled.net.state_dict()) == list(network().state_dict())
    assert_same(compiled, run(trainer(steps=3)))
