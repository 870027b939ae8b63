"""Noise drawn ahead is the noise of `Noise`, number by number, whatever the blocks, the batch and the threads."""

import pytest
import torch

from diffusion_course import CourseError, Noise
from diffusion_course.experiments import noise_ahead
from diffusion_course.experiments.noise_ahead import NoiseAhead


@pytest.mark.parametrize("shape", [(16,), (1, 4, 4), (1, 28, 28), (3,), (2, 9)])
@pytest.mark.parametrize("draws", [1, 5, 40])
def test_the_numbers_are_those_of_noise(shape, draws):
    x = torch.zeros(70, *shape)
    plain, ahead = Noise(3), NoiseAhead(3, draws=draws)
    for _ in range(draws + 2):  # more than it was told of
        assert torch.equal(ahead.like(x), plain.like(x))


def test_rows_of_a_larger_batch_have_the_streams_of_their_numbers():
    plain, ahead = Noise(5), NoiseAhead(5, first=7, draws=3)
    for _ in range(3):
        assert torch.equal(ahead.like(torch.zeros(4, 16)), plain.like(torch.zeros(11, 16))[7:])


def test_it_has_the_dtype_of_the_state():
    assert NoiseAhead(0).like(torch.zeros(2, 16, dtype=torch.float64)).dtype == torch.float64


def test_threads_and_blocks_do_not_show(monkeypatch):
    x = torch.zeros(150, 32)
    whole = NoiseAhead(1, draws=9)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    monkeypatch.setattr(noise_ahead, "BLOCK", 2)
    monkeypatch.setattr(noise_ahead, "ROWS", 11)
    parts = NoiseAhead(1, draws=9)
    for _ in range(9):
        assert torch.equal(whole.like(x), parts.like(x))


def test_a_bad_seed_is_told():
    with pytest.raises(CourseError, match="seed: got -1"):
        NoiseAhead(-1)
