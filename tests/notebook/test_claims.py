"""A claim prints whether it holds."""

import pytest
import torch

from diffusion_course.notebook.claims import agree, claim


@pytest.mark.parametrize("holds", [True, 1, torch.tensor(True)])
def test_a_claim_that_holds(capsys, holds):
    claim("the later row is smaller.", holds)
    assert capsys.readouterr().out == "Holds: the later row is smaller.\n"


@pytest.mark.parametrize("fails", [False, 0, torch.tensor(False)])
def test_a_claim_that_does_not(capsys, fails):
    claim("the later row is smaller", fails)
    assert capsys.readouterr().out == "Does not hold here: the later row is smaller.\n"


@pytest.mark.parametrize(
    ("a", "b", "holds"),
    [
        (torch.tensor([1e3, 1.0]), torch.tensor([1e3, 1.0 + 0.9e-3]), True),  # of the largest entry of b
        (torch.tensor([1e-3]), torch.tensor([3e-3]), False),  # and of 1, where b is smaller
        (0.5, 0.5 + 1e-7, True),
        (torch.tensor([1.0, torch.nan]), torch.tensor([1.0, 1.0]), False),
    ],
)
def test_two_computations_agree(capsys, a, b, holds):
    agree("both ways", a, b, 1e-6)
    assert capsys.readouterr().out == f"both ways: agree to 1e-06: {holds}\n"


def test_a_number_of_python_is_not_rounded(capsys):
    agree("a tenth", 0.1, torch.tensor(0.1, dtype=torch.float64), 1e-15)
    assert capsys.readouterr().out == "a tenth: agree to 1e-15: True\n"
