"""Checkpoints in the format of NVIDIA's EDM code, written from our networks: records of modules that carry a source nobody runs."""

import pickle
import sys
import types
from collections import OrderedDict

import numpy as np
import torch

SOURCE = "raise SystemExit('the source in a checkpoint was run')"


def stand_in(module, name):
    """An object that pickles as the name module.name. What is written needs a module that has it."""

    def never(*arguments):
        raise AssertionError(f"{module}.{name} was called")

    never.__module__, never.__qualname__, never.__name__ = module, name, name
    return never


class persistence:
    """A context in which `torch_utils.persistence` can be named by the pickler."""

    def __enter__(self):
        self.function = stand_in("torch_utils.persistence", "_reconstruct_persistent_obj")
        inner = types.ModuleType("torch_utils.persistence")
        inner._reconstruct_persistent_obj = self.function
        sys.modules.update({"torch_utils": types.ModuleType("torch_utils"), "torch_utils.persistence": inner})
        return self.function

    def __exit__(self, *_):
        for name in ("torch_utils", "torch_utils.persistence"):
            sys.modules.pop(name)


class Persistent:
    """A module of NVIDIA's: pickles as a call of `_reconstruct_persistent_obj` with a dict."""

    def __init__(self, function, kind, state):
        self.function, self.kind, self.state = function, kind, state

    def __reduce__(self):
        meta = {
            "type": "class",
            "version": 6,
            "module_src": SOURCE,
            "class_name": self.kind,
            "state": self.state,
        }
        return self.function, (meta,)


def module_state(net, function, **more):
    """What `torch.nn.Module.__dict__` holds, modules inside as records (ModuleDicts as themselves)."""
    state = {key: value for key, value in torch.nn.Module().__dict__.items() if key not in ("_modules",)}
    state |= {"training": False, "_parameters": OrderedDict(net._parameters)}
    state |= {"_buffers": OrderedDict({name: b for name, b in net._buffers.items() if b is not None})}
    state["_modules"] = OrderedDict((name, record(inner, function)) for name, inner in net._modules.items())
    return state | more


def record(net, function):
    if net is None or isinstance(net, torch.nn.Identity | torch.nn.Dropout):
        return None
    if isinstance(net, torch.nn.ModuleDict):
        inside = torch.nn.ModuleDict()
        for name, inner in net.items():
            inside._modules[name] = record(inner, function)
        return inside
    extra = {
        "skip_scale": np.sqrt(0.5),
        "eps": 1e-6,
        "weights": np.float32(2),
        "on": np.bool_(True),
        "n": np.int64(3),
    }
    return Persistent(function, type(net).__name__, module_state(net, function, **extra))


def checkpoint(
    net, kind="EDMPrecond", protocol=4, wrap=lambda function, root: root, name="SongUNet", **constants
):
    """The bytes of a file. wrap: (the named function, the dict) -> what is pickled in its place."""
    with persistence() as function:
        inner = record(net, function)
        inner.kind = name
        around = module_state(
            torch.nn.Module(), function, img_resolution=net.image_size, sigma_max=float("inf"), **constants
        )
        around["_modules"] = OrderedDict(model=inner)
        around["_init_args"], around["_init_kwargs"] = (), {"model_type": name, "channel_mult": [1, 2]}
        loss = Persistent(function, "EDMLoss", {"P_mean": -1.2, "P_std": 1.2, "sigma_data": 0.5})
        root = {"ema": Persistent(function, kind, around), "loss_fn": loss, "augment_pipe": None}
        root["dataset_kwargs"] = {"path": "x.zip", "use_labels": True, "max_size": 50_000}
        return pickle.dumps(wrap(function, root), protocol)


def reduced(function, *arguments):
    """An object that pickles as function(*arguments)."""
    return type("Reduced", (), {"__reduce__": lambda self: (function, arguments)})()
