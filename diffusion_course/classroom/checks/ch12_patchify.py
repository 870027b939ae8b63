"""Patches of an image as a row of tokens."""

from collections.abc import Callable, Iterator, Sequence

from torch import Tensor
from torch.nn import functional as F

from .ch01_slips import after, in_float32
from .data import Check, Mutant
from .inputs import Draw


def patchify(x: Tensor, p: int) -> Tensor:
    return ordered(x, p, (0, 2, 4, 1, 3, 5)).flatten(1, 2).flatten(2)


def parted(x: Tensor, p: int) -> Tensor:
    """(B, C, H/p, p, W/p, p): axis 2 and 4 number the patches, 3 and 5 the pixels in them."""
    B, C, H, W = x.shape
    return x.reshape(B, C, H // p, p, W // p, p)


def ordered(x: Tensor, p: int, axes: Sequence[int]) -> Tensor:
    return parted(x, p).permute(*axes)


def images(d: Draw) -> tuple:
    """p is none of the other sizes, and the image is no square."""
    C, h, w = d.event[0], d.size(), d.size()
    p = next(q for q in (2, 3, 4, 5) if q not in (C, h, w))
    return d.normal(d.B, C, h * p, w * p), p


def pictures(d: Draw) -> Iterator[tuple[str, tuple]]:
    """The chapter's digits and latents, one patch, patches of one pixel, long images."""
    for words, shape, p in (
        ("digits of 28 x 28 in patches of 2", (2, 1, 28, 28), 2),
        ("digits of 28 x 28 in patches of 7", (2, 1, 28, 28), 7),
        ("latents in patches of 1", (2, 4, 7, 7), 1),
        ("colours in patches of 4", (3, 3, 8, 8), 4),
        ("one patch", (2, 3, 5, 5), 5),
        ("a high image", (2, 3, 12, 4), 2),
        ("a wide image", (1, 2, 4, 12), 4),
    ):
        yield words, (d.wide(*shape), p)


def slip(hint: str, axes: Sequence[int]) -> Mutant:
    """A mutant that puts the six axes (B, C, row of patches, row in it, column of patches, column in it) in another order."""
    return Mutant(hint, lambda x, p: ordered(x, p, axes).reshape(len(x), -1, x.shape[1] * p * p))


def shaped(hint: str, function: Callable[[Tensor, int], Tensor]) -> Mutant:
    return Mutant(hint, function)


def swapped_sizes(x: Tensor, p: int) -> Tensor:
    B, C, H, W = x.shape
    return (
        x.reshape(B, C, W // p, p, H // p, p).permute(0, 2, 4, 1, 3, 5).reshape(B, H * W // p**2, C * p * p)
    )


def every_pth(x: Tensor, p: int) -> Tensor:
    B, C, H, W = x.shape
    return x.reshape(B, C, p, H // p, p, W // p).permute(0, 3, 5, 1, 2, 4).flatten(1, 2).flatten(2)


def one_after_another(x: Tensor, p: int) -> Tensor:
    """Rows of p * p pixels as they lie in memory."""
    B, C, H, W = x.shape
    return x.reshape(B, C, H * W // p**2, p * p).transpose(1, 2).reshape(B, H * W // p**2, C * p * p)


def back_and_forth(x: Tensor, p: int) -> Tensor:
    """Every second row of patches from right to left."""
    grid = ordered(x, p, (0, 2, 4, 1, 3, 5)).flatten(3).clone()
    grid[:, 1::2] = grid[:, 1::2].flip(2)
    return grid.flatten(1, 2)


ROWS = "the patches stand row by row, as one reads: axes (B, H/p, W/p, C, p, p), then reshape."
ENTRIES = "in a token the channels are outermost, then the rows of the patch: (C, p, p)."
PATCHIFY = Check(
    id="12-patchify",
    points=3,
    minutes=15,
    level=2,
    reference=patchify,
    inputs=images,
    fixed=pictures,
    where='section 5 of this notebook ("An image as a row of patches"): split H into (H/p, p) and W into (W/p, p), bring the axes into the '
    "order (B, H/p, W/p, C, p, p), and reshape to (B, N, C p p) (Peebles & Xie 2023, section 3.2).",
    outputs=("tokens",),
    library=("nets.dit.patchify",),
    mutants=[
        shaped(
            "no patches at all, a reshape of the whole image: split H into (H/p, p) and W into (W/p, p), and permute.",
            lambda x, p: x.reshape(len(x), -1, x.shape[1] * p * p),
        ),
        shaped(
            f"H and W swapped in the first reshape: it is (B, C, H/p, p, W/p, p). {ROWS[0].upper()}{ROWS[1:]}",
            swapped_sizes,
        ),
        slip(f"patches in the order of columns: {ROWS}", (0, 4, 2, 1, 3, 5)),
        slip(f"rows and columns swapped inside each patch: {ENTRIES}", (0, 2, 4, 1, 5, 3)),
        slip(
            f"an image with H and W swapped, as a transposed one: {ROWS} And {ENTRIES}", (0, 4, 2, 1, 5, 3)
        ),
        slip(f"channels last in each token: {ENTRIES}", (0, 2, 4, 3, 5, 1)),
        slip(f"channels last, and patches in the order of columns: {ROWS} And {ENTRIES}", (0, 4, 2, 3, 5, 1)),
        slip(
            f"channels last, and rows and columns swapped inside each patch: {ENTRIES}", (0, 2, 4, 5, 3, 1)
        ),
        slip(
            f"channels last, and H and W swapped everywhere: {ROWS} And {ENTRIES}", (0, 4, 2, 5, 3, 1)
        ),
        slip(f"the channels between the rows and the columns of a patch: {ENTRIES}", (0, 2, 4, 3, 1, 5)),
        slip(
            f"the axes H/p and p left beside each other, which makes rows of pixels and no patches: {ROWS}", (0, 2, 3, 1, 4, 5)
        ),
        shaped(
            "pixels that lie H/p apart in one token, as p before H/p in the reshape makes them: H is split into (H/p, p).",
            every_pth,
        ),
        shaped(
            "p * p pixels one after another in memory as a patch: a patch has p rows of p pixels.",
            one_after_another,
        ),
        shaped(f"every second row of patches from right to left: {ROWS}", back_and_forth),
        after("the patches from the last to the first: begin at the upper left.", patchify, lambda v: v.flip(1)),
        after("the entries of each token from the last to the first.", patchify, lambda v: v.flip(2)),
        shaped(
            "tokens behind their entries, (B, C p p, N), as F.unfold has them: swap the last two axes.",
            lambda x, p: F.unfold(x, p, stride=p),
        ),
        shaped(
            "F.unfold, and a reshape in the place of a swap: its result is (B, C p p, N), swap the last two axes.",
            lambda x, p: F.unfold(x, p, stride=p).reshape(len(x), -1, x.shape[1] * p * p),
        ),
        shaped(
            "channels in front of the grid, (B, C, H/p, W/p, p, p), and a reshape at once: C must move behind the grid first.",
            lambda x, p: ordered(x, p, (0, 1, 2, 4, 3, 5)).reshape(len(x), -1, x.shape[1] * p * p),
        ),
        shaped(
            "H for W in the number of patches, (H/p)^2 of them: there are H/p rows of W/p patches.",
            lambda x, p: patchify(x, p).reshape(len(x), (x.shape[2] // p) ** 2, -1),
        ),
        shaped(
            "H for W in the first reshape: W is split into (W/p, p).",
            lambda x, p: x.reshape(*x.shape[:2], x.shape[2] // p, p, x.shape[2] // p, p).permute(0, 2, 4, 1, 3, 5).flatten(1, 2).flatten(2),
        ),
        shaped(
            "p^2 tokens: the tokens are the H W / p^2 patches, and each has C p^2 entries.",
            lambda x, p: ordered(x, p, (0, 3, 5, 1, 2, 4)).reshape(len(x), p * p, -1),
        ),
        shaped(
            "the first patch of each row alone: a row has W/p of them.",
            lambda x, p: ordered(x, p, (0, 2, 4, 1, 3, 5))[:, :, 0].flatten(2),
        ),
        shaped(
            "patches without the last row and the last column of them: range(0, H, p) reaches the last.",
            lambda x, p: ordered(x, p, (0, 2, 4, 1, 3, 5))[:, :-1, :-1].flatten(1, 2).flatten(2),
        ),
        shaped("the first channel alone: a token holds all channels of its patch.", lambda x, p: patchify(x[:, :1], p)),
        shaped(
            "patches of 2 x 2, whatever p is.",
            lambda x, p: patchify(x, p if x.shape[2] % 2 or x.shape[3] % 2 else 2),
        ),
        after("pixels that are mapped to [0, 1]: a token holds them as they are.", patchify, lambda v: (v + 1) / 2),
        after("float16 on the way: keep the dtype of x.", patchify, lambda v: v.half().to(v.dtype)),
        shaped("the pixels as tokens, each with its channels: a token is a patch.", lambda x, p: x.flatten(2).mT),
        shaped(
            "tokens first, (N, B, C p p), as torch.stack makes it with dim=0: give it dim=1.",
            lambda x, p: patchify(x, p).transpose(0, 1),
        ),
        *(
            slip(f"the axes {names} in the place of (B, H/p, W/p, C, p, p). {ROWS[0].upper()}{ROWS[1:]}", axes)
            for names, axes in (
                ("(B, p, p, C, H/p, W/p)", (0, 3, 5, 1, 2, 4)),
                ("(B, p, p, H/p, W/p, C)", (0, 3, 5, 2, 4, 1)),
                ("(B, W/p, H/p, p, C, p)", (0, 4, 2, 3, 1, 5)),
                ("(B, H/p, W/p, p, C, p) with the columns first", (0, 2, 4, 5, 1, 3)),
                ("(B, H/p, p, W/p, C, p)", (0, 2, 3, 4, 1, 5)),
            )
        ),
        shaped(
            "patches that overlap, of F.unfold without stride=p.",
            lambda x, p: F.unfold(x, p).transpose(1, 2),
        ),
        shaped(
            "tokens that are still images, (B, N, C, p, p): flatten the last three axes.",
            lambda x, p: ordered(x, p, (0, 2, 4, 1, 3, 5)).flatten(1, 2),
        ),
        shaped(
            "tokens on a grid, (B, H/p, W/p, C p p): flatten the two axes of the grid into one.",
            lambda x, p: ordered(x, p, (0, 2, 4, 1, 3, 5)).flatten(3),
        ),
        shaped(
            "six axes: flatten the grid into one, and the last three into one.",
            lambda x, p: ordered(x, p, (0, 2, 4, 1, 3, 5)),
        ),
        shaped(
            "a row of tokens for each channel: a token holds all channels of its patch.",
            lambda x, p: ordered(x, p, (0, 1, 2, 4, 3, 5)).flatten(1, 3).flatten(2),
        ),
        after("the tokens of all images in one row: keep the batch axis.", patchify, lambda v: v.flatten(0, 1)),
        after("one row of numbers for each image: keep the axis of the tokens.", patchify, lambda v: v.flatten(1)),
        after("a batch axis that is lost where there is one image.", patchify, lambda v: v.squeeze(0)),
        shaped(
            "the means of the patches: a token holds all their pixels.",
            lambda x, p: F.avg_pool2d(x, p).flatten(2).transpose(1, 2),
        ),
        shaped("p tokens a side instead of tokens of p pixels a side.", lambda x, p: patchify(x, x.shape[-1] // p)),
        in_float32(patchify),
    ],
)  # fmt: skip
