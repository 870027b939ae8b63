"""Adapters in files of their own: what LoRA changed of a network, without the network (see `nets.lora`).

digits = zoo.load("mnist-text")
adapters.read(Path("slanted.safetensors"), digits.net)     # the same digits, slanted
"""

from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from ..errors import CourseError
from ..files import write_bytes
from ..nets import lora


def write(path: Path, net: nn.Module) -> None:
    """Save the factors alone, and what `read` needs to put them back. Raises CourseError for a network without any."""
    found = lora.layers(net)
    if not found:
        raise CourseError("net: is not adapted; call adapt first")
    factors = {f"{name}.{f}": getattr(layer, f).weight for name, layer in found.items() for f in "AB"}
    alphas = {name: repr(layer.alpha) for name, layer in found.items()}
    write_bytes(path, save({name: w.detach().cpu().contiguous() for name, w in factors.items()}, alphas))


def read(path: Path, net: nn.Module) -> nn.Module:
    """`net` adapted by a file that `write` made from a network of its architecture, in place. Returns it.

    Raises CourseError for any other file, and for one of another network; `net` is then as it was.
    """
    known, adapted = lora.adaptable(net), {}
    try:
        with safe_open(path, framework="pt") as file:
            for name, alpha in file.metadata().items():
                A, B = file.get_tensor(f"{name}.A"), file.get_tensor(f"{name}.B")
                adapted[name] = layer = lora.LoRA(known[name], len(A), float(alpha))
                layer.A.load_state_dict({"weight": A})
                layer.B.load_state_dict({"weight": B})
    except FileNotFoundError:
        raise CourseError(f"factors {path}: no such file") from None
    # What a damaged file, another network's and a stranger's raise.
    except (
        SafetensorError,
        OSError,
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
        ArithmeticError,
        RuntimeError,
    ):
        raise CourseError(f"factors {path}: do not belong to this network, or are damaged") from None
    return lora.replaced(net.requires_grad_(False), adapted)
