"""A claim prints whether it holds."""

import pytest
import torch

from diffusion_course.notebook.claims import claim


@pytest.mark.parametrize("holds", [True, 1, torch.tensor(True)])
def test_a_claim_that_holds(capsys, holds):
    claim("the later row is smaller.", holds)
    assert capsys.readouterr().out == "Holds: the later row is smaller.\n"


@pytest.mark.parametrize("fails", [False, 0, torch.tensor(False)])
def test_a_claim_that_does_not(capsys, fails):
    claim("the later row is smaller", fails)
    assert capsys.readouterr().out == "Does not hold here: the later row is smaller.\n"
