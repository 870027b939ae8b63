"""Random weights in the shape of pytorch-fid's file, which no test may download."""

import pytest
import torch


def random_weights(path, whole=False):
    """Write a state dict for pytorch-fid's Inception. whole: all layers random; else the first block, the rest zeros of no size."""
    inception = pytest.importorskip("pytorch_fid.inception")
    g = torch.Generator().manual_seed(0)

    def value(name, like):
        if not like.is_floating_point():
            return torch.zeros(like.shape, dtype=like.dtype)
        if not whole and not name.startswith(("Conv2d_1a", "Conv2d_2a", "Conv2d_2b")):
            return torch.zeros(()).expand(like.shape)
        if name.endswith(("running_var", "bn.weight")):
            return torch.ones(like.shape)
        fan_in = like[0].numel() if like.ndim > 1 else 1
        return torch.randn(like.shape, generator=g) * (2 / fan_in) ** 0.5 * (like.ndim > 1)

    with pytest.MonkeyPatch.context() as patch, torch.device("meta"):
        patch.setattr(inception, "load_state_dict_from_url", lambda *args, **kwargs: {})
        patch.setattr(torch.nn.Module, "load_state_dict", lambda *args, **kwargs: None)
        shapes = inception.fid_inception_v3().state_dict()
    torch.save({name: value(name, like) for name, like in shapes.items()}, path)
    return path


def original(patch, path, dims):
    """pytorch-fid's own network with these weights."""
    inception = pytest.importorskip("pytorch_fid.inception")
    state = torch.load(path, weights_only=True)
    patch.setattr(inception, "load_state_dict_from_url", lambda *args, **kwargs: state)
    return inception.InceptionV3([inception.InceptionV3.BLOCK_INDEX_BY_DIM[dims]])
