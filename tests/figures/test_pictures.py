"""PNG bytes: of whatever a slider can show, and of several settings side by side."""

import io

import matplotlib.pyplot as plt
import pytest
import torch
from PIL import Image

from diffusion_course.errors import CourseError
from diffusion_course.figures import plots
from diffusion_course.figures.pictures import join, to_png

DIGITS = torch.rand(40, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_pictures_accept_figures_tensors_and_bytes_and_close_what_pyplot_opened():
    figure, _ = plt.subplots()
    data = to_png(figure)
    assert plt.get_fignums() == []
    assert to_png(data) == data
    assert to_png(DIGITS[0]) == to_png(DIGITS[:1])
    with pytest.raises(CourseError, match="got NoneType"):
        to_png(None)


def test_joined_pictures_stay_narrow_enough_to_read():
    one = to_png(plots.curves([0, 1], {"a": [0, 1]}, title="A title", xlabel="across", ylabel="up"))
    page = Image.open(io.BytesIO(join(["a", "b", "σ = 3"], [one] * 3)))
    assert page.width <= 1200
    assert page.height == 2 * (324 + 22)
