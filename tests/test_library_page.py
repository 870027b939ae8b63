"""What docs/library.md, and the README's section on it, show runs as it stands, block after block, and does what its words say."""

import re
from pathlib import Path

import pytest
import torch
from shared import close

import diffusion_course as dc
from diffusion_course import denoisers, guidance, samplers, schedules

TEXT = (Path(__file__).parents[1] / "docs" / "library.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def ran():
    """The names that all blocks leave behind, and the images of each block."""
    names = {}
    for block in BLOCKS:
        exec(compile(block, "docs/library.md", "exec"), names)
    return names


def test_the_readmes_snippet_is_the_pages_beginning(ran):
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^## Library\n.*?```python\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    names = {}
    exec(compile(block, "README.md", "exec"), names)
    close(names["images"], dc.sample(ran["D"], ran["x_T"], ran["sigmas"], samplers.heun), 1e-5)


def test_samples_are_images(ran):
    for name in ("images", "stochastic", "lower_halves", "edited"):
        assert ran[name].shape == (4, 1, 28, 28), name
        assert ran[name].abs().max() < 2, name
    assert ran["path"].x.shape == (19, 4, 1, 28, 28)
    assert (ran["path"].x0.shape, ran["path"].nfe) == ((19, 4, 1, 28, 28), 18)


def test_inpainting_keeps_what_is_known(ran):
    known = ran["known"].expand(4, 1, 28, 28)
    halves = ran["lower_halves"]
    assert torch.equal(halves[known], halves[:1].expand_as(halves)[known])
    assert not torch.allclose(halves[0], halves[1])


def test_the_step_of_the_page_is_of_second_order(ran):
    mixture = denoisers.GaussianMixture(torch.tensor([[-1.0, 0.0], [1.0, 0.5]], dtype=torch.float64), 0.4)
    x = 3 * dc.Noise(0).randn(50, 2, dtype=torch.float64)

    def after(step, n):
        y = x
        for sigma, sigma_next in zip(
            *(torch.linspace(3, 0.3, n + 1, dtype=torch.float64)[i:] for i in (0, 1)), strict=False
        ):
            y = step(mixture, y, sigma, sigma_next, None)
        return y

    exact = after(samplers.heun, 4000)
    errors = [(after(ran["midpoint"], n) - exact).norm() for n in (40, 80)]
    assert 1.8 < (errors[0] / errors[1]).log2() < 2.2


def test_the_gradient_reaches_the_start(ran):
    (block,) = [b for b in BLOCKS if "requires_grad_" in b]
    begun = block.replace("x = x_T", "start = x = x_T", 1)
    names = dict(ran)
    exec(compile(begun, "docs/library.md", "exec"), names)
    assert names["start"].grad.abs().sum() > 0


def test_the_network_of_the_page_learned_its_circle(ran):
    radius = ran["points"].norm(dim=1)
    assert ((radius - 1).abs() < 0.3).float().mean() > 0.95


def test_every_name_of_the_table_is_there():
    spaces = (dc, samplers, schedules, denoisers, guidance, dc.gaussian)
    rows = re.findall(r"^\| (?!elsewhere|---)(.*?) \| (.*) \|$", TEXT, re.MULTILINE)
    assert len(rows) >= 10
    for _, here in rows:
        for code in re.findall(r"`([^`]+)`", here):
            for module, name in re.findall(
                r"\b(samplers|schedules|denoisers|guidance|gaussian|sde|NoiseSchedule)\.(\w+)", code
            ):
                assert hasattr(getattr(dc, module), name), f"{module}.{name}"
            bare = re.fullmatch(r"(\w+)(\(.*\))?", code)
            assert not bare or any(hasattr(space, bare[1]) for space in spaces), code
