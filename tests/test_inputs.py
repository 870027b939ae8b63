"""Wrong input to denoisers, guidance, noise and samplers: one line that names the argument, and never a wrong answer."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from shared import F64, Net, draws, mixture

from diffusion_course import CourseError, NoiseSchedule, gaussian, samplers, schedules, sde
from diffusion_course.denoisers import (
    DatasetDenoiser,
    GaussianMixture,
    Preconditioned,
    as_eps,
    edm_param,
    eps_param,
    flow_param,
    from_eps,
    iddpm_param,
    v_param,
    ve_param,
    vp_param,
    x0_param,
)
from diffusion_course.guidance import (
    autoguidance,
    cfg,
    classifier,
    clip,
    dynamic_threshold,
    interval,
    mean_shift,
)
from diffusion_course.noise import Noise, slerp
from diffusion_course.samplers import sample

S = NoiseSchedule.from_betas(schedules.linear(100))
X = draws(4, 2)
M = mixture(2)
DATA = DatasetDenoiser(draws(6, 2, seed=3), torch.arange(6) % 2)
PARAMS = {
    "eps": eps_param(S),
    "x0": x0_param(S),
    "v": v_param(S),
    "flow": flow_param(),
    "edm": edm_param(),
    "vp": vp_param(),
    "ve": ve_param(),
    "iddpm": iddpm_param(),
}
NETWORKS = {name: Preconditioned(Net(), param) for name, param in PARAMS.items()}
log_prob = lambda x, sigma: M.classify(x, sigma)[:, 0]  # noqa: E731
DENOISERS = NETWORKS | {
    "labelled": NETWORKS["edm"].given(1),
    "from_eps": from_eps(lambda x, t: x, S),
    "dataset": DATA,
    "class": DATA.given(1),
    "classes": DATA.given(torch.tensor([0, 1, 1, 0])),
    "mixture": M,
    "component": M.given(torch.tensor([0, 1, 2, 0])),
    "cfg": cfg(DATA.given(1), DATA, 3.0),
    "autoguidance": autoguidance(M, GaussianMixture(M.means, 1.0), 2.0),
    "classifier": classifier(M, log_prob, 1.0),
    "clip": clip(DATA),
    "threshold": dynamic_threshold(DATA),
}
SIGNED = {"mixture", "component", "autoguidance", "classifier"}  # where sigma = 0 has a meaning


@pytest.mark.parametrize("name", DENOISERS)
@settings(max_examples=20, deadline=None)
@given(st.sampled_from([0.0, -0.0, -1.0, -1e-9, math.nan, math.inf, -math.inf]), st.integers(0, 4))
def test_a_noise_level_that_is_none_is_refused(name, bad, row):
    """As a number for all rows, and as the entry of one row."""
    if name in SIGNED and bad == 0:
        return
    sigma = torch.tensor(bad)
    if row:
        sigma = torch.ones(4)
        sigma[row - 1] = bad
    with pytest.raises(CourseError, match=r"^sigma: got (-?0|-1|-1e-09|nan|-?inf), want numbers >=? ?0"):
        DENOISERS[name](X, sigma)


@pytest.mark.parametrize("name", DENOISERS)
@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=3).filter(lambda shape: shape != [4]))
def test_noise_levels_of_another_shape_are_refused(name, shape):
    with pytest.raises(CourseError, match=r"^sigma: got shape .*want \(\) or \(4,\)"):
        DENOISERS[name](X, torch.ones(shape))


@pytest.mark.parametrize("name", DENOISERS)
@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool, torch.complex64])
def test_a_state_of_integers_is_refused(name, dtype):
    for sigma in (1.0, torch.ones(4)):
        with pytest.raises(CourseError, match=r"^x: got dtype torch\..*want floating point"):
            DENOISERS[name](torch.ones(4, 2).to(dtype), sigma)


@pytest.mark.parametrize("answer", [None, 1.0, torch.zeros(4, 1), torch.zeros(4, 2, 2), torch.zeros(3, 2)])
def test_an_answer_of_another_shape_is_refused(answer):
    class Wrong(Net):
        def forward(self, x, c_noise, labels=None):
            return answer

    def wrong(x, sigma):
        return answer

    calls = {
        "net": lambda: Preconditioned(Wrong(), edm_param())(X, 1.0),
        "eps_model": lambda: from_eps(wrong, S)(X, 1.0),
        "D": lambda: as_eps(wrong, S)(X, 50),
        "uncond": lambda: cfg(M, wrong, 2.0)(X, 1.0),
        "cond": lambda: cfg(wrong, M, 2.0)(X, 1.0),
    }
    for name, call in calls.items():
        with pytest.raises(
            CourseError, match=rf"^{name}\(.*\): returned .*want a tensor of x's shape \(4, 2\)"
        ):
            call()
    for wrapper in (lambda D: classifier(D, log_prob, 1.0), clip, dynamic_threshold):
        with pytest.raises(CourseError, match=r"^D\(x, sigma\): returned"):
            wrapper(wrong)(X, 1.0)


SCALES = [
    torch.ones(3),
    torch.ones(4, 1),
    torch.ones(1),
    math.nan,
    math.inf,
    torch.tensor([1.0, 2.0, math.nan, 1.0]),
    "2",
]


@pytest.mark.parametrize("w", SCALES, ids=str)
def test_a_guidance_scale_is_named_as_such(w):
    grid = schedules.karras(3)
    for name, call in {
        "w": lambda: cfg(DATA.given(1), DATA, w)(X, 1.0),
        r"w\(sigma\)": lambda: cfg(DATA.given(1), DATA, lambda sigma: w)(X, 1.0),
        "scale": lambda: classifier(M, log_prob, w)(X, 1.0),
        r"scale\(sigma\)": lambda: sample(M, X, grid, mean_shift(log_prob, lambda sigma: w), Noise(0)),
    }.items():
        with pytest.raises(CourseError, match=rf"^{name}: "):
            call()


@pytest.mark.parametrize("w", [torch.tensor([0.0, 1.0, 2.0, -3.0]), lambda s: torch.full((4,), 2.0)])
def test_a_scale_for_each_row_is_taken(w):
    out = cfg(DATA.given(1), DATA, w)(X, 1.0)
    scales = w(1.0) if callable(w) else w
    for i in range(4):
        one = cfg(DATA.given(1), DATA, scales[i].item())(X[i : i + 1], 1.0)
        assert torch.allclose(out[i : i + 1], one)


@pytest.mark.parametrize(("low", "high"), [(1.0, -1.0), (1.0, 1.0), (math.nan, 1.0)])
def test_ranges(low, high):
    with pytest.raises(CourseError, match=r"^low, high: got .*want low < high"):
        clip(DATA, low, high)
    with pytest.raises(CourseError, match=r"^low, high: got "):
        interval(2.0, low, high)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**64), st.integers(0, 2**64))
def test_two_seeds_are_two_noises(a, b):
    assert torch.equal(Noise(a).randn(2, 4), Noise(b).randn(2, 4)) == (a == b)
    for power in (32, 33, 64):
        assert not torch.equal(Noise(a).randn(2, 4), Noise(a + 2**power).randn(2, 4))


@pytest.mark.parametrize("per_sample", [True, False])
def test_noise_says_what_it_cannot_draw(per_sample):
    noise = Noise(0, per_sample)
    for shape in ((-1, 2), (2, 1.5), ("2",), (2, -3)):
        with pytest.raises(CourseError, match=r"^shape: got .*want an integer >= 0"):
            noise.randn(*shape)
    for dtype in (torch.int64, torch.bool):
        with pytest.raises(CourseError, match=r"^dtype: got .*want floating point"):
            noise.like(torch.ones(2, 2).to(dtype))


def test_slerp_says_which_latent_is_of_integers():
    for pair, name in (((X.long(), X), "a"), ((X, X.long()), "b")):
        with pytest.raises(CourseError, match=rf"^{name}: got dtype torch.int64"):
            slerp(*pair, 0.5)


FACTORIES = {
    "ddim": samplers.ddim,
    "edm": samplers.edm,
    "dpmpp_2m": samplers.dpmpp_2m,
    "ancestral": samplers.ancestral,
    "ddpm_learned": samplers.ddpm_learned,
    "mean_shift": mean_shift,
    "karras": schedules.karras,
}


@pytest.mark.parametrize("name", FACTORIES)
def test_what_makes_a_step_is_no_step(name):
    with pytest.raises(CourseError, match=rf"^step: got {name}, which makes steps; pass {name}\(\), or "):
        sample(M, X, schedules.karras(3), FACTORIES[name], Noise(0))


@pytest.mark.parametrize("step", ["heun", None, 3])
def test_what_cannot_be_called_is_no_step(step):
    with pytest.raises(CourseError, match=r"^step: got (str|NoneType|int), want a function"):
        sample(M, X, schedules.karras(3), step)


def test_steps_of_the_reverse_sde():
    process, score = sde.vp(), sde.as_score(M, sde.vp())
    with pytest.raises(
        CourseError, match=r"^step: got predictor_corrector, which makes steps; pass predictor_corrector\(\)"
    ):
        sde.sample(score, process, X, sde.times(3), sde.predictor_corrector, Noise(0))


def test_a_state_of_integers_starts_no_loop():
    grid = schedules.karras(3)
    for run in (
        lambda x: sample(M, x, grid),
        lambda x: samplers.ddim_invert(M, x, grid[:-1].flip(0)),
        lambda x: gaussian.to_ve(x, 1.0),
        lambda x: sde.sample(sde.as_score(M, sde.vp()), sde.vp(), x, sde.times(3), sde.ode_euler),
    ):
        with pytest.raises(CourseError, match=r"^x(_t)?: got dtype torch.int64, want floating point"):
            run(torch.ones(4, 2).long())


def test_labels_that_are_none_of_the_classes():
    with pytest.raises(CourseError, match=r"^y: got 0\.5, want one of \[0, 1\]"):
        DATA.given(0.5)
    with pytest.raises(CourseError, match=r"^y: got 0\.5, want one of \[0, 1\]"):
        DATA.given(torch.tensor([0.5, 1.0, 1.0, 1.0]))
    with pytest.raises(CourseError, match=r"^y: got shape \(2, 2\)"):
        DATA.given(torch.ones(2, 2).long())(X, 1.0)
    for chunk in (0, -1, 1.5):
        with pytest.raises(CourseError, match=r"^chunk: got"):
            DatasetDenoiser(X, chunk=chunk)


def test_a_point_has_no_density_without_noise():
    points = GaussianMixture(torch.zeros(2, 2, dtype=F64), torch.tensor([0.0, 0.1]))
    for call in (points, points.score, points.log_density):
        with pytest.raises(CourseError, match=r"^sigma: got 0, want numbers >= 0, and > 0 where a std is 0"):
            call(X, 0.0)
    for stds, weights in ((math.inf, None), (1.0, torch.tensor([1.0, math.inf]))):
        with pytest.raises(CourseError, match=r"^(stds|weights): got"):
            GaussianMixture(torch.zeros(2, 2), stds, weights)
