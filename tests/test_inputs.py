"""Wrong input to denoisers, guidance, noise and samplers: one line that names the argument, and never a wrong answer."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from shared import F64, Net, close, draws, mixture

from diffusion_course import CourseError, NoiseSchedule, elbo, gaussian, losses, samplers, schedules, sde
from diffusion_course.denoisers import (
    DatasetDenoiser,
    GaussianMixture,
    Param,
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
from diffusion_course.noise import Draws, Noise, slerp
from diffusion_course.samplers import sample
from diffusion_course.transitions import draw

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
    makes = FACTORIES[name] is not schedules.karras
    with pytest.raises(
        CourseError, match=rf"^step: got {name}\(.*\), want a function of \(D, x, sigma, "
    ) as told:
        sample(M, X, schedules.karras(3), FACTORIES[name], Noise(0))
    assert (f"or a step that it makes: {name}(" in str(told.value)) == makes


def test_a_step_of_too_few_arguments_is_not_taken_for_a_maker():
    with pytest.raises(CourseError) as told:
        sample(M, X, schedules.karras(3), lambda D, x, sigma, sigma_next: x)
    assert str(told.value) == (
        "step: got <lambda>(D, x, sigma, sigma_next), want a function of (D, x, sigma, sigma_next, noise)"
    )


@pytest.mark.parametrize("noise", [torch.Generator(), torch.randn_like, 0])
def test_noise_is_an_object_with_like(noise):
    schedule = NoiseSchedule.from_betas(schedules.linear(4))
    for run in (
        lambda: sample(M, X, schedules.karras(3), samplers.ddpm, noise),
        lambda: sde.sample(sde.as_score(M, sde.vp()), sde.vp(), X, sde.times(3), noise=noise),
        lambda: elbo.vlb_terms(M, X, schedule, noise, elbo.gaussian_decoder(0.1)),
        lambda: draw(torch.full((2, 3), 1 / 3), noise),
    ):
        with pytest.raises(
            CourseError, match=r"^noise: got .*, want Noise\(seed\), or an object with .like\(x\)$"
        ):
            run()


def test_makers_of_other_things_and_classes_are_no_steps():
    for step, told in (
        (samplers.learned_variance, r"got learned_variance\(fraction\), want a function of \([^:]*\)$"),
        (samplers.Edm, r"got the class Edm, want"),
        (samplers.ancestral, r"got ancestral\(variance\), .*: ancestral\(\.\.\.\)$"),
    ):
        with pytest.raises(CourseError, match=told):
            sample(M, X, schedules.karras(3), step, Noise(0))
    with pytest.raises(CourseError, match=r"^noise: got <class"):
        sample(M, X, schedules.karras(3), samplers.ddpm, Noise)


def test_a_number_in_a_tensor_is_a_number():
    """As a loop over torch.linspace hands them out."""
    for s in torch.linspace(0, 1, 3, dtype=torch.float64):
        close(slerp(X, X.flip(0), s), slerp(X, X.flip(0), s.item()), 0)
        run = [sample(M, X, schedules.karras(3), samplers.ddim(eta), Noise(0)) for eta in (s, s.item())]
        close(*run, 0)
        knobs = [samplers.edm(30 * churn, 0.1 * churn, 50 + churn, 1 + churn) for churn in (s, s.item())]
        assert knobs[0] == knobs[1]


def test_numbers_where_a_mean_or_a_table_is_wanted():
    close(elbo.gaussian_nll(X, 0.0, 1.0), elbo.gaussian_nll(X, torch.zeros_like(X), 1.0), 0)
    with pytest.raises(CourseError, match=r"^table: got list, want a tensor"):
        S.take([1.0] * 100, 3, X)
    for betas in ("ab", None):
        with pytest.raises(CourseError, match=r"^betas: got .*, want numbers in \(0, 1\), shape \(T,\)$"):
            NoiseSchedule(betas)
    with pytest.raises(CourseError, match=r"^x: got dtype torch.int64, want floating point"):
        Draws(0).like(X.long())


def test_a_grid_that_is_none():
    for grid in (None, "karras", lambda n: n):
        with pytest.raises(CourseError, match=r"^sigmas: got .*, want a grid such as karras\(18\)$"):
            sample(M, X, grid)


def test_numbers_of_numpy_and_lists_serve_as_sigma():
    sigma = torch.linspace(0.5, 2, len(X))
    wanted = M(X, sigma)
    for sigmas in (sigma.tolist(), sigma.numpy()):
        close(M(X, sigmas), wanted, 1e-6)
    close(M(X, sigma.numpy()[0]), M(X, 0.5), 1e-6)
    for bad in ("1", None, [[1.0]] * len(X)):
        with pytest.raises(CourseError, match=r"^sigma: got "):
            M(X, bad)


def test_arrays_are_named_where_a_tensor_is_wanted():
    with pytest.raises(CourseError, match=r"^(x0|data): got ndarray, want a tensor"):
        losses.edm_loss(M, X.numpy(), torch.zeros(len(X)), X)
    with pytest.raises(CourseError, match=r"^data: got (ndarray|list), want a tensor"):
        DatasetDenoiser(X.numpy())
    with pytest.raises(CourseError, match=r"^s: got tensor.*want a number in 0..1"):
        slerp(X, X, torch.full((len(X),), 0.5))


@pytest.mark.parametrize("knobs", [{"s": -1}, {"s": math.nan}, {"max_beta": -1}, {"max_beta": 1.5}])
def test_knobs_of_the_cosine_schedule(knobs):
    with pytest.raises(CourseError, match=rf"^{next(iter(knobs))}: got "):
        schedules.cosine(5, **knobs)


@pytest.mark.parametrize("steepness", [0, -1.0, math.nan, math.inf])
def test_steepness_of_the_sigmoid_schedule(steepness):
    with pytest.raises(CourseError, match=r"^steepness: got .*want a number > 0"):
        schedules.sigmoid(5, steepness=steepness)


def test_the_class_of_schedules_checks_as_its_maker_does():
    for betas in ([2.0, 3.0], [], [math.nan], [[0.1]]):
        with pytest.raises(CourseError, match=r"^betas: "):
            NoiseSchedule(torch.tensor(betas))
    assert NoiseSchedule([0.1, 0.2]).betas.dtype == torch.float64
    assert NoiseSchedule(torch.tensor([0.1, 0.2])).sigmas.dtype == torch.float64


@pytest.mark.parametrize("channels", [1, 3, 9, 64])
def test_a_network_answers_c_channels_or_2c(channels):
    class Wide(torch.nn.Module):
        def __init__(self, n):
            super().__init__()
            self.layer = torch.nn.Linear(3, n)

        def forward(self, x, c_noise):
            return self.layer(x)

    x = torch.randn(5, 3)
    if channels in (3, 6):
        assert Preconditioned(Wide(channels), edm_param())(x, 1.0).shape == x.shape
    else:
        with pytest.raises(CourseError, match=rf"^net\(x, c_noise\): returned \(5, {channels}\), want"):
            Preconditioned(Wide(channels), edm_param())(x, 1.0)
    assert Preconditioned(Wide(6), edm_param())(x, 1.0).shape == x.shape


def test_what_a_preconditioned_denoiser_is_made_of():
    with pytest.raises(CourseError, match=r"^net: got function, want a torch.nn.Module$"):
        Preconditioned(lambda x, c: x, edm_param())
    with pytest.raises(
        CourseError, match=r"^param: got <function edm_param.*want a Param, such as edm_param\(\)$"
    ):
        Preconditioned(torch.nn.Identity(), edm_param)


def test_entries_of_a_parametrisation_may_be_numbers():
    class Zero(torch.nn.Module):
        def forward(self, x, c_noise):
            assert c_noise.shape == (len(x),)
            return torch.zeros_like(x)

    plain = Param(lambda s: 1.0, lambda s: 1, lambda s: 1.0, lambda s: 0.0)
    close(Preconditioned(Zero(), plain)(X, 2.0), X, 0)


def test_weights_of_the_losses():
    schedule = NoiseSchedule.from_betas(schedules.linear(10))
    t, model = torch.full((len(X),), 3), lambda x, t: x
    for weight in (torch.ones(100), torch.ones(3), torch.ones(10, 1), 0.5, [1.0] * 10):
        with pytest.raises(CourseError, match=r"^weight: got .*, want a tensor .* shape \(10,\)$"):
            losses.eps_loss(model, X, t, X, schedule, weight)
    with pytest.raises(CourseError, match=r"^table: got shape \(100,\), want \(10,\)$"):
        schedule.take(torch.ones(100), 3, X)
    with pytest.raises(CourseError, match=r"^weight: got 0.5, want a function of sigma, such as eps_weight$"):
        losses.denoising_loss(M, X, 1.0, X, 0.5)
    close(
        losses.denoising_loss(M, X, 2.0, X), losses.denoising_loss(M, X, torch.full((len(X),), 2.0), X), 1e-6
    )


@pytest.mark.parametrize("step", ["heun", None, 3])
def test_what_cannot_be_called_is_no_step(step):
    with pytest.raises(CourseError, match=r"^step: got (str|NoneType|int), want a function"):
        sample(M, X, schedules.karras(3), step)


def test_steps_of_the_reverse_sde():
    process, score = sde.vp(), sde.as_score(M, sde.vp())
    with pytest.raises(
        CourseError,
        match=r"^step: got predictor_corrector\(.*\), want .*\(score, sde, .*: predictor_corrector\(\)$",
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
