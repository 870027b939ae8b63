"""Attention against its definition, in each precision, and where mixed precision computes it."""

import pytest
import torch

from diffusion_course.nets.attention import attend


def written_out(q, k, v):
    """Vaswani et al. 2017, eq. 1."""
    weight = (torch.einsum("bhld,bhmd->bhlm", q, k) / q.shape[-1] ** 0.5).exp()
    return torch.einsum("bhlm,bhmd->bhld", weight / weight.sum(-1, keepdim=True), v)


def drawn(dtype, rows=9, others=9):
    torch.manual_seed(3)
    return [torch.randn(2, 3, n, 8).to(dtype).requires_grad_() for n in (rows, others, others)]


@pytest.mark.parametrize(("rows", "others"), [(9, 9), (5, 12), (1, 1)])
@pytest.mark.parametrize(
    ("dtype", "error"),
    [(torch.float64, 1e-12), (torch.float32, 1e-5), (torch.bfloat16, 1e-2), (torch.float16, 2e-3)],
)
def test_values_and_gradients_are_the_formulas(dtype, error, rows, others):
    exact = [x.detach().double().requires_grad_() for x in drawn(dtype, rows, others)]
    inputs = drawn(dtype, rows, others)
    h = attend(*inputs)
    assert h.dtype == dtype
    want = written_out(*exact)
    torch.testing.assert_close(h.double(), want, atol=error, rtol=error)
    h.double().square().sum().backward()
    want.square().sum().backward()
    for got, right in zip(inputs, exact, strict=True):
        torch.testing.assert_close(got.grad.double(), right.grad, atol=8 * error, rtol=8 * error)


def test_under_autocast_on_a_cpu_the_sum_is_in_float32():
    """The result is rounded once: as far from the exact one as bfloat16 is fine, and no farther."""
    q, k, v = drawn(torch.bfloat16, 40, 40)
    with torch.autocast("cpu", torch.bfloat16):
        h = attend(q, k, v)
        mixed = attend(q.float(), k, v)
    assert h.dtype == torch.bfloat16
    torch.testing.assert_close(
        h, written_out(q.double(), k.double(), v.double()).bfloat16(), atol=0, rtol=2**-7
    )
    assert mixed.isfinite().all()
