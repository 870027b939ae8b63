"""What the networks are trained on: the loss is 0 for a network that knows the answer, and only for that one."""

import itertools
import math
import sys

import pytest
import torch
from experiments.tiny import TINY
from torch import Generator, nn
from torch.nn import functional as F

from diffusion_course import CourseError, NoiseSchedule, losses, schedules
from diffusion_course.denoisers import Preconditioned, edm_param, eps_param, flow_param, v_param, x0_param
from diffusion_course.experiments import config_text, objectives
from diffusion_course.experiments.config import CONFIGS, Config
from diffusion_course.experiments.models import network
from diffusion_course.gaussian import diffuse

S = NoiseSchedule.from_betas(schedules.cosine(50))
X0 = torch.randn(64, 1, 4, 4, generator=Generator().manual_seed(9))
LABELS = torch.arange(64) % 10


def generator(seed=0):
    return Generator().manual_seed(seed)


class Clairvoyant(nn.Module):
    """Knows x_0, and answers `answer(x, c_noise)`; remembers what it saw."""

    def __init__(self, answer, num_classes=0):
        super().__init__()
        self.answer, self.seen = answer, []
        self.num_classes = num_classes

    def forward(self, x, c_noise, labels=None):
        self.seen.append((x, c_noise, labels))
        return self.answer(x, c_noise)


def implied_eps(x_t, t):
    """(x_t - sqrt(alpha_bar) x_0) / sqrt(1 - alpha_bar)."""
    alpha_bar = S.alpha_bar[t.long() - 1][:, None, None, None]
    return ((x_t - alpha_bar.sqrt() * X0) / (1 - alpha_bar).sqrt()).float()


def implied_velocity(z, t):
    """eps - x_0 = (z - x_0) / t on the straight path z = (1 - t) x_0 + t eps."""
    return (z - X0) / t[:, None, None, None]


def test_the_simple_loss_is_zero_for_who_knows_eps():
    net = Clairvoyant(implied_eps)
    assert objectives.eps_objective(S)(net, X0, LABELS, generator()) < 1e-8
    zero = objectives.eps_objective(S)(Clairvoyant(lambda x, t: 0 * x), X0, LABELS, generator())
    assert abs(zero - 1) < 5 * math.sqrt(2 / X0.numel())  # the mean of eps^2
    _, t, labels = net.seen[0]
    assert labels is None
    assert t.dtype == X0.dtype


def test_the_simple_loss_draws_every_t_equally_often():
    net, loss = Clairvoyant(lambda x, t: x), objectives.eps_objective(S)
    for seed in range(100):
        loss(net, X0, LABELS, generator(seed))
    t = torch.cat([seen[1] for seen in net.seen])
    counts = t.long().bincount(minlength=51)
    assert counts[0] == 0
    expected = len(t) / 50
    assert ((counts[1:] - expected).abs() < 5 * math.sqrt(expected)).all()


@pytest.mark.parametrize(
    ("param", "answer"),
    [
        (eps_param(S), implied_eps),
        (flow_param(), implied_velocity),
        (x0_param(S), lambda x, t: X0),
        (v_param(S), lambda x, t: v_of(x, t)),
    ],
    ids=["eps", "flow", "x0", "v"],
)
def test_the_denoiser_loss_is_zero_for_who_knows_the_target(param, answer):
    def at_nodes(n, draws):
        return S.sigma(torch.randint(1, S.T + 1, (n,), generator=draws))

    loss = objectives.denoiser_objective(param, at_nodes, losses.unit_weight(param))
    assert loss(Clairvoyant(answer), X0, LABELS, generator()) < 1e-7
    assert loss(Clairvoyant(lambda x, t: answer(x, t) + 0.5), X0, LABELS, generator()) == pytest.approx(
        0.25, rel=1e-3
    )


def v_of(x_t, t):
    alpha_bar = S.alpha_bar[t.round().long() - 1][:, None, None, None]
    return (alpha_bar.sqrt() * implied_eps(x_t, t.round()) - (1 - alpha_bar).sqrt() * X0).float()


def test_log_normal_noise_levels():
    sigma = objectives.log_normal(0.5, 2.0)(100_000, generator())
    logit = (sigma / (1 + sigma)).logit()  # t = sigma / (1 + sigma) on the straight path
    assert abs(logit.mean() - 0.5) < 5 * 2 / math.sqrt(100_000)
    assert abs(logit.std() - 2) < 5 * 2 / math.sqrt(200_000)


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_the_share_of_dropped_labels(share):
    labels, net = torch.arange(40_000) % 10, Clairvoyant(None, num_classes=10)
    got = objectives.drop_labels(labels, share, net, generator())
    dropped = got == 10
    assert torch.equal(got[~dropped], labels[~dropped])
    assert abs(dropped.double().mean() - share) <= 5 * math.sqrt(share * (1 - share) / 40_000)
    assert labels.max() == 9  # the caller's labels are as they were


def test_a_network_without_classes_gets_no_labels():
    assert objectives.drop_labels(LABELS, 0.1, Clairvoyant(None), generator()) is None
    assert objectives.drop_labels(LABELS, 0.1, nn.Linear(1, 1), generator()) is None


@pytest.mark.parametrize("make", [objectives.eps_objective, lambda S, **share: flow_loss(**share)])
def test_losses_drop_labels_and_draw_from_their_generator_alone(make):
    net, loss = Clairvoyant(lambda x, t: x, num_classes=10), make(S, label_dropout=0.5)
    before = torch.get_rng_state()
    first, again, other = (loss(net, X0, LABELS, generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert first == again != other
    (x, t, labels), (x_again, t_again, labels_again), _ = net.seen
    assert torch.equal(x, x_again)
    assert torch.equal(t, t_again)
    assert torch.equal(labels, labels_again)
    assert 16 < (labels == 10).sum() < 48


def flow_loss(label_dropout):
    weight = losses.unit_weight(flow_param())
    return objectives.denoiser_objective(flow_param(), objectives.log_normal(0.0, 1.0), weight, label_dropout)


def test_the_classifier_sees_images_moved_by_at_most_the_shift():
    image = torch.full((1, 1, 9, 9), -1.0)
    image[0, 0, 4, 4] = 1.0
    seen = []
    loss = objectives.classifier_objective(shift=2)
    for seed in range(300):
        loss(lambda x: seen.append(x) or x.flatten(1)[:, :10], image, torch.tensor([3]), generator(seed))
    places = {divmod(int(x.flatten().argmax()), 9) for x in seen}
    assert places == {(4 + dy, 4 + dx) for dy in range(-2, 3) for dx in range(-2, 3)}
    assert all(x.shape == image.shape and x.sum() == image.sum() for x in seen)
    logits = torch.zeros(1, 10)
    assert loss(lambda x: logits, image, torch.tensor([3]), generator()).item() == pytest.approx(math.log(10))


@pytest.mark.parametrize("labels", [[0, 9, 10], [-1, 2, 3], [11, 0, 0]])
def test_a_label_the_network_has_no_class_for_is_not_taken_for_no_label(labels):
    net = Clairvoyant(None, num_classes=10)
    with pytest.raises(CourseError, match=r"^labels: got .*, want 0\.\.9: the network has num_classes=10$"):
        objectives.drop_labels(torch.tensor(labels), 0.1, net, torch.Generator())


@pytest.mark.parametrize("share", [10, -0.1, math.nan, "0.1"])
def test_the_share_of_dropped_labels_is_a_share(share):
    with pytest.raises(CourseError, match=r"^label_dropout: got .*, want a number in 0\.\.1$"):
        objectives.drop_labels(
            torch.tensor([0, 1]), share, Clairvoyant(None, num_classes=10), torch.Generator()
        )


# ---- from a config


def test_uniform_times():
    sigma = objectives.uniform_time(0.2, 0.9)(100_000, generator())
    t = sigma / (1 + sigma)
    assert 0.2 <= t.min() < 0.201
    assert 0.899 < t.max() <= 0.9
    assert abs(t.mean() - 0.55) < 5 * 0.7 / math.sqrt(12 * 100_000)


NET = {**TINY["net"], "widths": [8]}


def made(**change):
    return Config.of(TINY | {"net": NET} | change)


def trained_on(config, seed=0):
    """The loss of a fresh network at 8 x 8 pixels of 256 levels, and its gradient's norm."""
    torch.manual_seed(1)
    net = network(config)
    for weight in net.parameters():
        nn.init.normal_(weight, std=0.05)
    pixels = torch.randint(0, 256, (4, 1, 8, 8), generator=Generator().manual_seed(2))
    loss = objectives.objective(config)(net, pixels / 127.5 - 1, LABELS[:4], generator(seed))
    loss.backward()
    return loss.detach(), sum(w.grad.norm() for w in net.parameters() if w.grad is not None)


def made_or_told(**change):
    try:
        return made(**change), ""
    except CourseError as error:
        return None, str(error)


COMBINATIONS = list(
    itertools.product(*(config_text.KINDS[name] for name in ("parametrisation", "noise", "loss")))
)


def test_every_combination_trains_or_is_refused_in_one_line():
    trains = 0
    for parametrisation, noise, loss in COMBINATIONS:
        change = {"parametrisation": parametrisation, "noise": noise, "loss": loss}
        needed = parametrisation in ("eps", "x0", "v") or noise == "schedule"
        schedule = {"schedule": {"kind": "cosine", "T": 20}} if needed else {}
        net = {**NET, "learned_variance": loss == "hybrid"}
        config, told = made_or_told(**change, **schedule, net=net)
        if config is None:
            assert "\n" not in told
            refused = ("edm", "vlb", "hybrid", "cross-entropy", "contrastive", "reconstruction", "masked")
            assert loss in refused, told
            continue
        trains += 1
        if trains % 4 == 0:  # every fourth, to be quick: each kind meets several of the others
            value, gradient = trained_on(config)
            assert value.isfinite(), change
            assert 0 < gradient < math.inf, change
    assert trains == 5 * 4 * 7 + 4 + 5 + 1  # errors of seven kinds; edm's own; the bound; the hybrid loss


def old_simple(net, x0, labels, generator, share, schedule):
    t = torch.randint(1, 1001, (len(x0),), generator=generator)
    eps = torch.randn(x0.shape, generator=generator)
    classes = torch.where(torch.rand(len(labels), generator=generator) < share, 10, labels)
    return F.mse_loss(net(diffuse(x0, t, eps, schedule), t.to(x0), classes), eps)


def old_denoising(net, x0, labels, generator, share, param, mean, std):
    sigma = (mean + std * torch.randn(len(x0), generator=generator)).exp()
    eps = torch.randn(x0.shape, generator=generator)
    classes = torch.where(torch.rand(len(labels), generator=generator) < share, 10, labels)
    D = Preconditioned(net, param)(x0 + sigma[:, None, None, None] * eps, sigma, classes)
    return ((1 / param.c_out(sigma) ** 2)[:, None, None, None] * (D - x0).square()).mean()


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("model", ["eps-linear", "eps-cosine", "flow", "edm"])
def test_the_old_models_train_as_they_always_did(model, seed):
    """Bit by bit, gradient and all: shipped weights stay what their command makes."""
    knobs = {"edm": {"sigma_data": 0.62, "p_mean": -0.4, "p_std": 1.2}} if model == "edm" else {}
    config = made(model=model, label_dropout=0.3, **knobs)
    got = trained_on(config, seed)
    schedule = (
        NoiseSchedule.from_betas(schedules.by_name(model.removeprefix("eps-"), 1000))
        if "eps" in model
        else None
    )
    old = {
        "flow": lambda *a: old_denoising(*a, 0.3, flow_param(), 0.0, 1.0),
        "edm": lambda *a: old_denoising(*a, 0.3, edm_param(0.62), -0.4, 1.2),
    }.get(model, lambda *a: old_simple(*a, 0.3, schedule))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(objectives, "objective", lambda config: old)
        assert got == trained_on(config, seed)


def test_on_a_schedule_the_error_of_eps_is_the_denoisers_with_its_weight():
    """Two ways to the same number: x_t in textbook coordinates, and x_0's error times the SNR."""
    net = Clairvoyant(lambda x, t: torch.sin(3 * x))
    here = objectives.eps_objective(S)(net, X0.double(), LABELS, generator())
    there = objectives.denoiser_objective(
        eps_param(S), lambda n, g: S.sigma(objectives.draw_t(S, n, g)), losses.eps_weight
    )(net, X0.double(), LABELS, generator())
    torch.testing.assert_close(here, there, rtol=1e-10, atol=0)


@pytest.mark.parametrize(
    ("loss", "times_snr"),
    [
        ("simple", lambda snr: 1),
        ("x0", lambda snr: 1 / snr),
        ("v", lambda snr: (snr + 1) / snr),
        ("flow", lambda snr: (1 + snr**0.5) ** 2 / snr),
        ("truncated-snr", lambda snr: max(snr, 1) / snr),
        ({"kind": "min-snr", "gamma": 2}, lambda snr: min(snr, 2) / snr),
        ({"kind": "p2", "k": 2, "gamma": 0.5}, lambda snr: 1 / (2 + snr) ** 0.5),
    ],
)
def test_the_weights_of_eps(loss, times_snr):
    """What each loss makes of the squared error of eps: 1 / sqrt(SNR) is sigma."""
    weight = objectives.weight_of(made(loss=loss))
    for sigma in (0.05, 0.6, 1.0, 3.0, 40.0):
        got = weight(torch.tensor([sigma], dtype=torch.float64)).item() * sigma**2
        assert got == pytest.approx(times_snr(sigma**-2), rel=1e-12)


@pytest.mark.parametrize("name", ["mnist-edm", "mnist-flow", "mnist-eps-cosine"])
def test_from_a_config_to_its_loss_few_files_are_opened(name):
    """What runs between what a config says and a number: so many files, at most, a reader opens to follow it."""
    opened, net = set(), Clairvoyant(lambda x, t: x, num_classes=10)

    def note(frame, event, argument):
        if "diffusion_course/" in frame.f_code.co_filename and event == "call":
            opened.add(frame.f_code.co_filename)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        loss = objectives.objective(Config.of(config_text.load(CONFIGS / f"{name}.yaml")))
        loss(net, torch.zeros(2, 1, 28, 28), torch.tensor([0, 1]), generator())
    finally:
        sys.setprofile(before)
    assert len(opened) <= 10, sorted(opened)
