"""NVIDIA's EDM checkpoints (Karras et al. 2022): pickles of networks that carry their own code, read without running it.

Such a file is a dict whose "ema" is a record of a preconditioner around a SongUNet: of each module the class's name, the
source of its code, which is ignored here, and its state. The weights are taken by name, and what they are weights of is told by their shapes.
"""

import io
import math
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...denoisers import Param, Preconditioned, edm_param, ve_param, vp_param
from ...errors import CourseError, check_number, shown
from ...nets.songunet import SongUNet
from .pickles import Refused, read
from .records import Record, calls
from .tensors import TensorRecord

URL = "https://nvlabs-fi-cdn.nvidia.com/edm/pretrained/"
RELEASED = {  # name -> where it lies below URL; those of ImageNet hold another network
    **{f"edm-cifar10-32x32-{kind}-{form}": "" for kind in ("cond", "uncond") for form in ("vp", "ve")},
    **{f"edm-{data}-64x64-uncond-{form}": "" for data in ("ffhq", "afhqv2") for form in ("vp", "ve")},
    **{f"baseline-cifar10-32x32-uncond-{form}": "baseline/" for form in ("vp", "ve")},
}


def load(path: Path, device: torch.device | str = "cpu") -> Preconditioned:
    """The denoiser in NVIDIA's file: float32, in eval mode. Nothing in the file is run.

    Raises CourseError for a file that cannot be read, is damaged, holds another network, or asks for anything but data.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CourseError(f"weights {path}: cannot be read ({error.strerror})") from None
    try:
        record = _ema(read(io.BytesIO(content), calls()))
        param = _param(record)
        net = _network(_tensors(record, len(content)))
    except Refused as refusal:
        raise CourseError(f"weights {path}: refused, {refusal}; nothing in it was run") from None
    except CourseError as error:
        raise CourseError(f"weights {path}: {error}") from None
    except Exception:  # whatever a file may hold in place of what belongs there
        if zipfile.is_zipfile(io.BytesIO(content)):  # as torch.save writes; NVIDIA's files are bare pickles
            raise CourseError(
                f"weights {path}: a zip, as torch.save writes a plain state dict, and does not say of which network; build that and give"
                " it load_state_dict(torch.load(..., weights_only=True)), or name a .safetensors file that `train` wrote"
            ) from None
        raise CourseError(f"weights {path}: damaged, or no network that NVIDIA's EDM code saved") from None
    return Preconditioned(net, param).eval().requires_grad_(False).to(device)


def fetched(name: str, folder: Path) -> Path:
    """The file of a released network in `folder`. Raises CourseError, which says what to fetch, where it is not there."""
    path = folder / f"{name}.pkl"
    if not path.is_file():
        raise CourseError(f"weights {name}: fetch {URL}{RELEASED[name]}{name}.pkl and put it into {folder}")
    return path


def _ema(root: Any) -> Record:
    """The averaged network, the one to sample from."""
    record = root.get("ema") if type(root) is dict else root
    if not isinstance(record, Record):
        raise CourseError('holds no network under the name "ema"')
    return record


def _param(record: Record) -> Param:
    """The preconditioner's four coefficients, with the file's constants."""
    if record.kind not in CONSTANTS:
        raise CourseError(f"holds a {shown(record.kind)}, want one of {', '.join(CONSTANTS)}")
    make, *names = CONSTANTS[record.kind]
    for name in names:
        check_number(name, record.state[name], lambda value: 0 < value < float("inf"), "> 0")
    return make(*(record.state[name] for name in names))


CONSTANTS: dict[str, Any] = {  # the class in NVIDIA's networks.py -> ours, and the attributes it takes
    "EDMPrecond": (edm_param, "sigma_data"),
    "VPPrecond": (vp_param, "beta_d", "beta_min", "M"),
    "VEPrecond": (ve_param,),
}


def _tensors(record: Record, limit: int) -> dict[str, Tensor]:
    """Parameters and buffers of the network inside, by name, in float32. limit: the file's bytes."""
    net = record.state["_modules"]["model"]
    if net.kind != "SongUNet":
        raise CourseError(f"holds a {shown(net.kind)}; of NVIDIA's networks the course has SongUNet")
    found = dict(_walk(net, "", set()))
    if sum(math.prod(one.shape) * one.storage.dtype.itemsize for one in found.values()) > limit:
        raise ValueError("weights that are larger than the file")
    tensors = {name: one.tensor().float() for name, one in found.items()}
    if not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
        raise CourseError("damaged: its weights hold NaN or infinity")
    return tensors


def _walk(module: Record, prefix: str, seen: set[int]) -> Iterator[tuple[str, TensorRecord]]:
    """As `state_dict` does, but a module that comes twice is an error: files could repeat without end."""
    if id(module) in seen:
        raise ValueError("a module inside itself")
    seen.add(id(module))
    state = module.state
    for name, one in {**state["_parameters"], **state["_buffers"]}.items():
        if one is not None and name not in state.get("_non_persistent_buffers_set", ()):
            yield f"{prefix}{name}", one
    for name, inner in state["_modules"].items():
        if inner is not None:
            yield from _walk(inner, f"{prefix}{name}.", seen)


def _network(tensors: Mapping[str, Tensor]) -> SongUNet:
    """The SongUNet that has these weights. Raises CourseError where none has."""
    with torch.device("meta"):  # without memory for weights that are replaced at once
        net = SongUNet(**_sizes({name: tuple(tensor.shape) for name, tensor in tensors.items()}))
    try:
        net.load_state_dict(dict(tensors), assign=True)
    except RuntimeError:
        raise CourseError("holds another form of SongUNet than DDPM++ and NCSN++") from None
    return net


def _sizes(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """The arguments of SongUNet, from the names and shapes of its weights."""
    levels = sorted({int(m[1]) for name in shapes if (m := re.match(r"enc\.(\d+)x\1_block", name))})[::-1]
    top = levels[0]
    model_channels, channels = shapes[f"enc.{top}x{top}_conv.weight"][:2]
    widths = [shapes[f"enc.{size}x{size}_block0.conv0.weight"][0] for size in levels]
    blocks = [name for name in shapes if re.fullmatch(rf"enc\.{top}x{top}_block\d+\.norm0\.weight", name)]
    return {
        "image_size": top,
        "channels": channels,
        "label_dim": shapes.get("map_label.weight", (0, 0))[1],
        "augment_dim": shapes.get("map_augment.weight", (0, 0))[1],
        "ncsnpp": "map_noise.freqs" in shapes,
        "model_channels": model_channels,
        "channel_mult": [width // model_channels for width in widths],
        "num_blocks": len(blocks),
        "attention": [size for size in levels if f"enc.{size}x{size}_block0.qkv.weight" in shapes],
    }
