"""The mixed precision that pays on a device, and how images lie in memory there."""

import torch


def amp_dtype(device: torch.device) -> torch.dtype | None:
    """The mixed-precision dtype that pays on this device, or None for float32.

    GPU: bfloat16 where the hardware has it, else float16. CPU: bfloat16 only with AMX or AVX-512 bf16
    instructions; without them it is emulated, and was measured 17 times slower than float32.
    """
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.get_device_capability(device)[0] >= 8 else torch.float16
    if device.type == "cpu":
        for feature in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
            if getattr(torch.cpu, feature, lambda: False)():
                return torch.bfloat16
    return None


def layout(device: torch.device, dtype: torch.dtype | None, ndim: int) -> torch.memory_format:
    """How images of `ndim` axes, and the network's weights, lie in memory when it trains in the mixed precision `dtype`.

    Convolutions with the channels innermost are faster on GPUs, and in float32 on CPUs: 1.1 to 1.2 times. In bfloat16 on a
    CPU (AMX) they are slower: 1.2 to 1.7 times, in each of eight U-Nets of 0.6 to 2.7 M parameters.
    """
    if ndim != 4 or (device.type == "cpu" and dtype is not None):
        return torch.contiguous_format
    return torch.channels_last
