"""All randomness of the course: seeded Gaussian noise, the same numbers on every device."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from .errors import CourseError, check_integer, check_number, shown
from .shapes import append_dims, at_least_single, check_float, same, unwrapped

Size = int | Sequence[int]


class NoiseSource(Protocol):
    """Anything with `.like(x)`: a tensor of standard normal noise with x's shape, dtype and device."""

    def like(self, x: Tensor) -> Tensor: ...


class NoNoise:
    """Stands in for noise=None: a step that does draw is told what to pass."""

    def like(self, x: Tensor) -> Tensor:
        raise CourseError("noise: got None, but this step draws noise; pass noise=Noise(seed)")


def source(noise: NoiseSource | None) -> NoiseSource:
    """What a loop draws from: noise itself, `NoNoise` for None. Raises CourseError for a seed, a generator or a function."""
    if noise is None:
        return NoNoise()
    if isinstance(noise, type) or not callable(getattr(noise, "like", None)):
        raise CourseError(f"noise: got {shown(noise)}, want Noise(seed), or an object with .like(x)")
    return noise


class Noise:
    """Seeded N(0, I) noise.

    Row i of a batch has a stream of its own, so sample i is the same whatever the batch size
    (`torch.randn(8)` is not a prefix of `torch.randn(32)` under one seed). Numbers are drawn in float32
    on the CPU and then moved, so the CPU and a GPU see the same noise.

    Two objects of one seed give the same numbers. For a start x_T and the noise on the way take one object for both, or two seeds.

    seed: integer >= 0.
    per_sample: False draws each batch from a single stream. That is much faster for 100,000 points in the
        plane, and then a row does depend on the batch size.
    Raises CourseError when the seed is not an integer >= 0.
    """

    def __init__(self, seed: int = 0, per_sample: bool = True):
        check_integer("seed", seed, 0)
        self.seed = int(seed)
        self.per_sample = per_sample
        self._streams: list[torch.Generator] = []

    def randn(
        self, *size: Size, device: torch.device | str | None = None, dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """Standard normal noise of the given shape, in numbers or as one sequence; the first axis counts the samples.

        Raises CourseError for a shape that is none, or a dtype of integers.
        """
        shape = _shape(*size)
        if not dtype.is_floating_point:
            raise CourseError(f"dtype: got {dtype}, want floating point; noise would be cut off to integers")
        if not self.per_sample:
            return torch.randn(*shape, generator=self.stream(0), dtype=torch.float32).to(
                device=device, dtype=dtype
            )
        if not shape:
            raise CourseError("shape: got (), want at least the number of samples")
        out = torch.empty(shape, dtype=torch.float32)
        for i, row in enumerate(out):
            out[i] = torch.randn(row.shape, generator=self.stream(i), dtype=torch.float32)
        return out.to(device=device, dtype=dtype)

    def like(self, x: Tensor) -> Tensor:
        """Standard normal noise with x's shape (B, *S), dtype and device."""
        return self.randn(*x.shape, device=x.device, dtype=x.dtype)

    def stream(self, i: int) -> torch.Generator:
        """The generator of row i, at the place where earlier draws left it."""
        while len(self._streams) <= i:
            seed = mix(_all_of(self.seed) + len(self._streams))
            self._streams.append(torch.Generator().manual_seed(seed))
        return self._streams[i]


class Draws:
    """What a step of training draws: times, noise and chances, each kind from a stream of its own.

    So neither the order in which the kinds are asked matters, nor in how many pieces a kind is asked. The methods are called as torch's
    of the same names, without dtype, device and generator; numbers are drawn in float32 on the CPU and then moved.

    seed: integer >= 0. dtype, device: of what `randn` and `rand` give. Raises CourseError when the seed is not an integer >= 0.
    """

    def __init__(
        self, seed: int = 0, dtype: torch.dtype = torch.float32, device: torch.device | str | None = None
    ):
        check_integer("seed", seed, 0)
        self.dtype, self.device = dtype, device
        self._times, self._normal, self._chances = (
            torch.Generator().manual_seed(mix(_all_of(int(seed)) + kind)) for kind in range(3)
        )

    def randint(self, low: int, high: int, size: Size) -> Tensor:
        """Integers in low..high - 1, each as likely as the others: int64."""
        return torch.randint(low, high, _shape(size), generator=self._times).to(self.device)

    def randn(self, *size: Size) -> Tensor:
        """Standard normal numbers."""
        # By the inverse of the normal distribution: a piece of torch.randn is not what a longer one begins with.
        uniform = torch.rand(_shape(*size), generator=self._normal, dtype=torch.float64)
        return torch.special.ndtri(uniform.clamp(min=2**-54)).float().to(self.device, self.dtype)

    def like(self, x: Tensor) -> Tensor:
        """Standard normal numbers with x's shape, dtype and device, as every source of noise gives them."""
        check_float("x", x)
        return self.randn(x.shape).to(x)

    def rand(self, *size: Size) -> Tensor:
        """Numbers in [0, 1), uniform."""
        uniform = torch.rand(_shape(*size), generator=self._chances, dtype=torch.float32)
        return uniform.to(self.device, self.dtype)


def _shape(*size: Size) -> list[int]:
    """A shape as torch's functions take it: numbers, or one sequence of them. Raises CourseError for what is no such number."""
    shape = [n for part in size for n in (part if isinstance(part, Sequence) else (part,))]
    for n in shape:
        check_integer("shape", n, 0)
    return [int(n) for n in shape]


def mix(n: int) -> int:
    """A bijection of the 32-bit integers that scatters neighbours (the finaliser of MurmurHash3).

    PyTorch's CPU generator uses 32 bits of a seed. A bijection gives every sample of one seed its own stream.
    """
    n &= 0xFFFFFFFF
    n = ((n ^ (n >> 16)) * 0x85EBCA6B) & 0xFFFFFFFF
    n = ((n ^ (n >> 13)) * 0xC2B2AE35) & 0xFFFFFFFF
    return n ^ (n >> 16)


def _all_of(seed: int) -> int:
    """32 bits that depend on every bit of a seed: 0 and 2^32 are two seeds."""
    high, low = divmod(seed, 2**32)
    return mix(_all_of(high) + low) if high else mix(low)


def slerp(a: Tensor, b: Tensor, s: float | Tensor) -> Tensor:
    """From a (s = 0) to b (s = 1) along the great circle, each sample on its own (Shoemake 1985; Song et al. 2021, appendix D.5).

    sin((1-s) theta)/sin(theta) a + sin(s theta)/sin(theta) b, theta the angle between a and b: points between two latents
    whose norms stay those of noise, where (1-s) a + s b would be shorter. a, b: (B, *S); parallel samples are
    interpolated linearly. Raises CourseError for two shapes, integers, or an s outside 0..1.
    """
    for name, x in (("a", a), ("b", b)):
        check_float(name, x)
    same("a", a, "b", b)
    s = unwrapped(s)
    check_number("s", s, lambda s: 0 <= s <= 1, "in 0..1")
    # From sine and cosine together: arccos alone loses half of the digits near 0, and meets 1 + 1e-16.
    flat = (at_least_single(x).flatten(1) for x in (a, b))
    u, v = (x / x.norm(dim=1, keepdim=True).clamp(min=1e-30) for x in flat)
    theta = 2 * torch.atan2((u - v).norm(dim=1), (u + v).norm(dim=1))
    far = theta.sin() > 1e-4
    sine = torch.where(far, theta.sin(), 1.0)
    weights = [torch.where(far, (share * theta).sin() / sine, share) for share in (1 - s, s)]
    from_a, from_b = (append_dims(w, a) for w in weights)
    return (from_a * a + from_b * b).to(a)
