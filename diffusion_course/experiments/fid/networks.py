"""Networks that turn pictures into features: a judge of the course, or the Inception network that makes a distance the FID."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from ...errors import CourseError, check_known, printable
from .. import downloads, zoo

# pytorch-fid's port of the weights of the original FID, at the address that it downloads them from itself.
URL = "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth"
DIMS = {64: 0, 192: 1, 768: 2, 2048: 3}  # number of features: the block of Inception that they leave


@dataclass(frozen=True)
class FeatureNet:
    """of: pixels (B, C, H, W), uint8, C = 1 or 3 -> features (B, dims). distance: what a Fréchet distance of them is called.

    check: raises CourseError for pictures of a size, (height, width), that it does not look at.
    """

    distance: str
    dims: int
    of: Callable[[Tensor], Tensor]
    check: Callable[[int, int], None] = lambda height, width: None


def judge_net(name: str, device: torch.device | str = "cpu") -> FeatureNet:
    """The features of the shipped judge of a data set, e.g. "mnist": offline, for grey pictures of its size.

    Colours are turned to grey. Raises CourseError where no judge ships, and when called on pictures of another size.
    """
    judges = [known.removesuffix("-judge") for known in zoo.names() if known.endswith("-judge")]
    check_known("judge", name, judges)
    judge, size = zoo.judge(name, device), 28

    def check(height: int, width: int) -> None:
        if (height, width) != (size, size):
            raise CourseError(
                f"the judge of {name} looks at pictures of {size} x {size} pixels, got {height} x {width};"
                " leave out --judge for others"
            )

    @torch.no_grad()
    def of(pixels: Tensor) -> Tensor:
        check(*pixels.shape[2:])
        return judge.features(_grey(pixels.to(device).float()) / 127.5 - 1)

    dims = judge.head[-1].in_features
    assert isinstance(dims, int)
    return FeatureNet(f"Fréchet distance in the features of {name}-judge", dims, of, check)


def _grey(pixels: Tensor) -> Tensor:
    """(B, 3, H, W) to luma (ITU-R 601), (B, 1, H, W); what is grey stays as it is."""
    if pixels.shape[1] == 1:
        return pixels
    weights = torch.tensor([0.299, 0.587, 0.114], device=pixels.device)[:, None, None]
    return (pixels * weights).sum(1, keepdim=True)


def inception_net(
    dims: int = 2048, weights: Path | None = None, device: torch.device | str = "cpu"
) -> FeatureNet:
    """pytorch-fid's Inception, exactly as pytorch-fid uses it. dims: 64, 192, 768 or 2048 (Heusel et al. 2017: the last).

    Pictures of any size are enlarged or shrunk to 299 x 299; grey ones get three equal channels. weights: pytorch-fid's file;
    default: in torch's own cache, where pytorch-fid looks too, downloaded at first use. Raises CourseError where pytorch-fid is
    not installed, for another number of features, a file of another kind, and where the download fails.
    """
    if dims not in DIMS:
        raise CourseError(f"dims: got {dims}, want one of {', '.join(map(str, DIMS))}")
    try:
        from pytorch_fid import inception
    except ImportError:
        raise CourseError(
            "pytorch-fid is not installed: pip install 'diffusion-course[eval]', or take the features of a judge"
        ) from None
    state = _read(weights or _downloaded())
    original = inception.load_state_dict_from_url
    # Its constructor downloads without a timeout and unpickles without a guard. It takes what was read here instead.
    inception.load_state_dict_from_url = lambda *args, **kwargs: state
    try:
        net = inception.InceptionV3([DIMS[dims]]).eval().to(device)
    except (RuntimeError, TypeError, AttributeError):
        told = printable(str(weights)) if weights else "the weights in torch's cache"
        raise CourseError(f"{told}: not the weights of pytorch-fid's Inception network") from None
    finally:
        inception.load_state_dict_from_url = original

    distance = "FID" if dims == 2048 else f"FID in {dims} dimensions (on another scale than the usual 2048)"
    return FeatureNet(distance, dims, lambda pixels: _pooled(net, pixels.to(device)))


@torch.no_grad()
def _pooled(net: nn.Module, pixels: Tensor) -> Tensor:
    (maps,) = net(pixels.expand(-1, 3, -1, -1).float() / 255)
    return adaptive_avg_pool2d(maps, 1).flatten(1)


def _downloaded() -> Path:
    path = Path(torch.hub.get_dir()) / "checkpoints" / URL.rsplit("/", 1)[1]
    if not path.is_file():
        advice = (
            f"fetch {URL} elsewhere and name the file with --weights, or take the features of a judge, "
            "e.g. --judge mnist for grey pictures of 28 x 28, which needs no download"
        )
        downloads.fetch(URL, path, path.stem.rsplit("-", 1)[1], advice)
    return path


def _read(path: Path) -> dict[str, Tensor]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of odd pickles before it refuses them
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CourseError(f"weights {printable(str(path))}: no such file") from None
    except Exception:  # a damaged pickle may fail in any way, and one with code in it is refused
        raise CourseError(
            f"weights {printable(str(path))}: damaged, or not a file of tensors; fetch {URL}"
        ) from None
