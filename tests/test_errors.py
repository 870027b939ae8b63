"""Every refusal is one line that names the argument and what it got, before any work starts."""

import math

import numpy as np
import pytest
import torch

import diffusion_course as dc
from diffusion_course import elbo, gaussian, losses, samplers, schedules
from diffusion_course.denoisers import DatasetDenoiser, GaussianMixture
from diffusion_course.errors import ELSEWHERE, CourseError, check_integer, check_known, check_number, unknown
from diffusion_course.experiments import config_text, data, zoo
from diffusion_course.experiments.metrics import wilson
from diffusion_course.experiments.sample_command import GRIDS, SAMPLERS
from diffusion_course.experiments.training import Recipe
from diffusion_course.nets.embedding import Conditioning
from diffusion_course.nets.mlp import MLP
from diffusion_course.nets.unet import UNet

S = dc.NoiseSchedule.from_betas(schedules.linear(10))
X = torch.zeros(4, 2, 3)
NAN = torch.full((2, 2), math.nan)


def identity(x, sigma):
    return x


# call, the argument it must name, and what it must say it got
CALLS = {
    "seed": (lambda: dc.Noise(-3), "seed", "-3"),
    "noise shape": (lambda: dc.Noise(0).randn(), "shape", "()"),
    "betas shape": (lambda: dc.NoiseSchedule.from_betas(torch.ones(2, 2)), "betas", "(2, 2)"),
    "betas range": (lambda: dc.NoiseSchedule.from_betas(torch.tensor([0.5, 1.25])), "betas", "1.25"),
    "betas NaN": (lambda: dc.NoiseSchedule.from_betas(NAN[0]), "betas", "nan"),
    "schedule name": (lambda: schedules.by_name("lineer", 10), "schedule", "'lineer'"),
    "schedule length": (lambda: schedules.cosine(0), "T", "0"),
    "beta_min": (lambda: schedules.quadratic(10, beta_min=-0.1), "beta_min", "-0.1"),
    "beta_max": (lambda: schedules.sigmoid(10, beta_max=1.5), "beta_max", "1.5"),
    "grid length": (lambda: schedules.karras(0), "n", "0"),
    "grid ends": (lambda: schedules.karras(5, 2.0, 1.0), "sigma_min, sigma_max", "2.0, 1.0"),
    "grid minimum": (lambda: schedules.loglinear(5, 0.0), "sigma_min, sigma_max", "0.0, 80.0"),
    "rho": (lambda: schedules.karras(5, rho=0), "rho", "0"),
    "rho infinite": (lambda: schedules.karras(5, rho=math.inf), "rho", "inf"),
    "too many timesteps": (lambda: schedules.uniform_timesteps(10, 11), "n", "11"),
    "timesteps": (lambda: S.grid(torch.tensor([3, 7])), "timesteps", "7 after 3"),
    "no timesteps": (lambda: S.grid(torch.tensor([], dtype=torch.long)), "timesteps", "(0,)"),
    "t of a schedule": (lambda: S.sigma(11), "t", "11"),
    "t = 0": (lambda: S.sigma(0), "t", "0"),
    "t as a float": (lambda: S.sigma(2.0), "t", "torch.float32"),
    "sigma of a schedule": (lambda: S.t(-1.0), "sigma", "-1"),
    "t of diffuse": (lambda: gaussian.diffuse(X, torch.tensor([1, 2, 3, 12]), X, S), "t", "12"),
    "t's shape": (lambda: gaussian.diffuse(X, torch.tensor([1, 2]), X, S), "t", "(2,)"),
    "eps's shape": (lambda: gaussian.diffuse(X, 1, X[:1], S), "eps", "(1, 2, 3)"),
    "eps's device": (lambda: gaussian.diffuse(X, 1, X.to("meta"), S), "eps", "meta"),
    "dtype": (lambda: gaussian.diffuse(X.long(), 1, X, S), "x", "torch.int64"),
    "sigma's shape": (lambda: gaussian.to_vp(X, torch.ones(3)), "sigma", "(3,)"),
    "t of a KL": (lambda: elbo.kl_term(X, X, 1, S), "t", "1"),
    "x0_hat's shape": (lambda: elbo.kl_term(X, X[:, :1], 2, S), "x0_hat", "(4, 1, 3)"),
    "data NaN": (lambda: DatasetDenoiser(NAN), "data", "NaN"),
    "data empty": (lambda: DatasetDenoiser(X[:0]), "data", "(0, 2, 3)"),
    "labels": (lambda: DatasetDenoiser(X, torch.zeros(3)), "labels", "(3,)"),
    "class": (lambda: DatasetDenoiser(X, torch.zeros(4)).given(8), "y", "8"),
    "x of a denoiser": (lambda: DatasetDenoiser(X)(X[:, :1], 1.0), "x", "(4, 1, 3)"),
    "sigma 0": (lambda: DatasetDenoiser(X)(X, 0.0), "sigma", "0"),
    "means": (lambda: GaussianMixture(NAN, 1.0), "means", "NaN"),
    "stds": (lambda: GaussianMixture(X, -2.0), "stds", "-2.0"),
    "weights": (lambda: GaussianMixture(X, 1.0, torch.tensor([1.0, 1, 1, -7])), "weights", "-7.0"),
    "component": (lambda: GaussianMixture(X, 1.0).given(4), "k", "4"),
    "model's shape": (
        lambda: losses.eps_loss(lambda x, t: x[:1], X, torch.ones(4).long(), X, S),
        "eps_model(x_t, t)",
        "(1",
    ),
    "grid of a sampler": (
        lambda: dc.sample(identity, X, torch.tensor([1.0, 2.0, 0.0])),
        "sigmas",
        "sigmas[1] = 2",
    ),
    "grid's end": (lambda: dc.sample(identity, X, torch.tensor([1.0, 0.5])), "sigmas", "0.5"),
    "no noise": (lambda: dc.sample(identity, X, schedules.karras(3), samplers.ddpm), "noise", "None"),
    "start": (lambda: dc.sample(identity, NAN, schedules.karras(3)), "x", "NaN"),
    "D's shape": (lambda: dc.sample(lambda x, s: x[:1], X, schedules.karras(3)), "D", "(1, 2, 3)"),
    "step's answer": (
        lambda: dc.sample(identity, X, schedules.karras(3), lambda *a: None),
        "step",
        "NoneType",
    ),
    "eta": (lambda: samplers.ddim(2.0), "eta", "2.0"),
    "image size": (lambda: UNet(30, widths=(8, 8, 8)), "image_size", "30"),
    "image": (lambda: UNet(8, widths=(8,))(X, 1.0), "x", "(4, 2, 3)"),
    "class labels": (lambda: Conditioning(8, 3)(torch.ones(1), torch.tensor([5])), "labels", "[5]"),
    "unwanted labels": (lambda: Conditioning(8)(torch.ones(1), torch.tensor([0])), "labels", "num_classes=0"),
    "odd width": (lambda: MLP(width=9), "width", "9"),
    "data set": (lambda: data.load("mnist5k"), "data set", "'mnist5k'"),
    "split": (lambda: data.load("digits", "valid"), "split", "'valid'"),
    "size": (lambda: data.load("digits", size=16), "size", "16"),
    "limit": (lambda: data.load("digits", limit=-1), "limit", "-1"),
    "counts": (lambda: wilson(5, 3), "successes, n", "5, 3"),
    "recipe": (lambda: Recipe(steps=1, lr=-1.0), "lr", "-1.0"),
}


@pytest.mark.parametrize("name", CALLS)
def test_one_line_that_names_the_argument_and_what_it_got(name):
    call, argument, got = CALLS[name]
    with pytest.raises(CourseError) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 250
    assert text.startswith((f"{argument}: ", f"unknown {argument} "))
    assert got in text
    assert "tensor(" not in text  # numbers, and not how torch prints them
    assert isinstance(caught.value, ValueError)
    assert (
        caught.value.__suppress_context__ or caught.value.__context__ is None
    )  # no second traceback behind it


def test_a_notebook_shows_that_line_and_no_traceback(capsys):
    shell_module = pytest.importorskip("IPython.core.interactiveshell", reason="IPython is not installed")
    shell = shell_module.InteractiveShell.instance()
    try:
        shell.run_cell("import diffusion_course as dc\ndc.schedules.by_name('cosin', 10)")
    finally:
        shell_module.InteractiveShell.clear_instance()
    shown = capsys.readouterr()
    lines = [line for line in (shown.out + shown.err).splitlines() if line.strip()]
    assert lines == ["CourseError: " + str(unknown("schedule", "cosin", schedules.BETAS))]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("cosin", " did you mean 'cosine'?"),
        ("Linear", " did you mean 'linear'?"),
        ("quadratc", " did you mean 'quadratic'?"),
        ("scaled_linear", " scaled_linear is called 'quadratic' here."),
        ("squaredcos_cap_v2", " squaredcos_cap_v2 is called 'cosine' here."),
        ("my-linear-too", ""),
        ("zzz", ""),
        (None, ""),
        (7, ""),
    ],
)
def test_unknown_names_suggest_the_nearest(name, hint):
    error = unknown("schedule", name, schedules.BETAS)
    assert str(error) == f"unknown schedule {name!r}:{hint} known: {', '.join(sorted(schedules.BETAS))}"


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("ddim", SAMPLERS, " ddim is called 'euler' here."),
        ("DPM++ 2M", SAMPLERS, " DPM++ 2M is called 'dpmpp-2m' here."),
        ("dpmpp_2m", SAMPLERS, " did you mean 'dpmpp-2m'?"),
        ("euler_ancestral", SAMPLERS, " euler_ancestral is called 'ddpm' here."),
        ("exponential", GRIDS, " exponential is called 'loglinear' here."),
        ("scaled_linear", GRIDS, ""),  # not among the grids, and no linear one either
        ("cosin", GRIDS, " did you mean 'cosine'?"),
        ("mnist-eddm", zoo.names(), " did you mean 'mnist-edm'?"),
        ("fashon-mnist", data.SOURCES, " did you mean 'fashion-mnist'?"),
        ("celeba64-judge", zoo.names(), ""),
        ("optimizer", config_text.PARTS, ""),
        ("lq", ("lr", "ema"), " did you mean 'lr'?"),
    ],
)
def test_a_suggestion_is_what_was_meant_or_none(name, known, hint):
    assert str(unknown("name", name, known)).partition(" known: ")[0] == f"unknown name {name!r}:{hint}"


def test_every_name_from_elsewhere_is_that_of_something_here():
    """Each is written as it is looked up, is no name of the course's own, and leads to one."""
    kinds = [SAMPLERS, GRIDS, schedules.BETAS, *(config_text.KINDS[part] for part in config_text.KINDS)]
    known = {name for kind in kinds for name in kind}
    for name, here in ELSEWHERE.items():
        assert name == name.lower().replace("_", "-")
        assert here in known
        assert name not in known


def test_k_diffusions_ancestral_step_is_ddpm_here():
    """As `ELSEWHERE` says: x + d (sigma_down - sigma) + sigma_up z, with its sigma_up for eta = 1."""
    x, z, (sigma, to) = dc.Noise(0).randn(2, 3), dc.Noise(1), torch.tensor([1.5, 0.4], dtype=torch.float64)
    up = (to**2 * (sigma**2 - to**2) / sigma**2).sqrt()
    down = (to**2 - up**2).sqrt()
    ours = samplers.ddpm(lambda x, sigma: 0.3 * x, x, sigma, to, dc.Noise(1))
    torch.testing.assert_close(ours, x + 0.7 * x / sigma * (down - sigma) + up * z.like(x))


@pytest.mark.parametrize("value", [0, 11, 2.0, "3", None, True, torch.tensor(3)])
def test_check_integer(value):
    with pytest.raises(CourseError, match=r"^n: got .*, want an integer in 1\.\.10 things$"):
        check_integer("n", value, 1, 10, " things")
    check_integer("n", 10, 1, 10)
    check_integer("n", 10**9, 1)


@pytest.mark.parametrize(
    "bad", [math.nan, -0.1, "0.5", None, True, [0.5], 10**400, -(16**5000)], ids=lambda bad: ""
)
def test_a_number_out_of_range_is_told_short(bad):
    with pytest.raises(CourseError, match=r"^share: got .*, want a number >= 0$") as caught:
        check_number("share", bad, lambda v: v >= 0, ">= 0")
    assert len(str(caught.value)) < 130


@pytest.mark.parametrize("good", [0, 0.5, np.float32(2), np.int64(3), 10**30])
def test_a_number_in_range_is_taken(good):
    check_number("share", good, lambda v: v >= 0, ">= 0")


@pytest.mark.parametrize("bad", ["linaer", ["linear"], {"linear": 1}, None, 3, "x" * 10_000])
def test_a_name_may_be_anything_that_a_file_holds(bad):
    with pytest.raises(CourseError, match=r"^unknown schedule .* known: cosine, linear$") as caught:
        check_known("schedule", bad, ("linear", "cosine"))
    assert len(str(caught.value)) < 180
