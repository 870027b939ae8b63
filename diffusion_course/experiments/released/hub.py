"""Networks of Hugging Face's diffusers, from a folder or from the hub: any UNet2DModel or UNet2DConditionModel, as a denoiser.

The folder's scheduler says what the network was trained on: its noise schedule and what it predicts. Classes and
weights are read by diffusers itself, but only those named here; code in a folder is not looked at.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...denoisers import Param, Preconditioned, eps_param, v_param, x0_param
from ...errors import CourseError, check_known, printable, shown
from ...schedules import NoiseSchedule

NETWORKS = ("UNet2DModel", "UNet2DConditionModel")
PREDICTIONS: dict[str, Callable[[NoiseSchedule], Param]] = {
    "epsilon": eps_param,
    "v_prediction": v_param,
    "sample": x0_param,
}
MORE = ("image", "image_hint", "text_image", "text_time")  # conditions beside the hidden states, as SDXL has
FILES = [  # of a repository on the hub: no second copies of the weights, and none in formats that carry code
    *("*model_index.json", "config.json", "scheduler_config.json", "diffusion_pytorch_model.safetensors"),
    *(f"{part}/diffusion_pytorch_model.safetensors" for part in ("unet", "vae")),
    *("*/config.json", "scheduler/*", "tokenizer/*", "text_encoder/model.safetensors"),
]


class DiffusersNet(nn.Module):
    """diffusers' network, called as the course calls one: (x, c_noise, condition or None) -> (B, C or 2C, H, W).

    The condition is a class for each sample, (B,), or for a UNet2DConditionModel its hidden states (B, L, E).
    """

    def __init__(self, unet: Any):
        super().__init__()
        self.unet, config = unet, unet.config
        self.image_size, self.channels = config.sample_size, config.in_channels
        self.num_classes = config.num_class_embeds or 0
        blocks = (*config.down_block_types, *config.up_block_types, config.get("mid_block_type") or "")
        self.attends = any("CrossAttn" in block for block in blocks)
        self.plain = isinstance(unet, diffusers_package().UNet2DModel)

    def forward(self, x: Tensor, c_noise: Tensor, condition: Tensor | None = None) -> Tensor:
        """x: (B, C, H, W); c_noise: (B,). Raises CourseError for a condition that is missing or not wanted."""
        axes, want = 0, "none: this network has no condition"
        if self.attends:
            axes, want = 3, "hidden states (B, L, E) for this network: D.given(hidden_states)"
        elif self.num_classes:
            axes, want = 1, f"labels (B,) in 0..{self.num_classes - 1} for this network: D.given(labels)"
        if axes != (condition.ndim if isinstance(condition, Tensor) else 0 if condition is None else -1):
            shape = f"shape {tuple(condition.shape)}" if isinstance(condition, Tensor) else shown(condition)
            got = "none" if condition is None else shape
            raise CourseError(f"condition: got {got}, want {want}")
        if self.attends:
            return self.unet(x, c_noise, condition).sample
        hidden = () if self.plain else (None,)
        return self.unet(x, c_noise, *hidden, class_labels=condition).sample


def load(folder: Path, device: torch.device | str = "cpu") -> Preconditioned:
    """The denoiser in a folder that diffusers wrote: a whole pipeline, or a network with its scheduler_config.json.

    D.given(labels) where the network has classes, D.given(hidden_states) where it is a UNet2DConditionModel, and
    D.given("a cat") where the pipeline has a text encoder, see `text`. Raises CourseError for what cannot be read.
    """
    net, param = DiffusersNet(_unet(folder)), _param(folder)
    if (folder / "text_encoder").is_dir():
        from .text import TextToImage

        model: Preconditioned = TextToImage.read(folder, net, param)
    else:
        model = Preconditioned(net, param)
    return model.eval().requires_grad_(False).to(device)


def fetched(name: str) -> Path:
    """The folder of a repository on the hub, "owner/name", downloaded once. Raises CourseError, which says what to fetch."""
    diffusers_package()
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=FILES, etag_timeout=8))
    except Exception as error:  # many kinds: no network, no such repository, no room
        where = f"fetch https://huggingface.co/{name} into a folder and give zoo.load its path"
        raise CourseError(
            f"weights {name}: no such folder, and the download failed ({_first_line(error)}); {where}"
        ) from None


def part(folder: Path, cls: Any) -> Any:
    """A network of diffusers or transformers from its own folder, whole, in float32. Raises CourseError."""
    try:
        made, told = cls.from_pretrained(
            folder, local_files_only=True, output_loading_info=True, low_cpu_mem_usage=False
        )
    except Exception as error:  # for bad configs and weights they raise many kinds
        raise CourseError(f"weights {folder}: {cls.__name__} cannot be read ({_first_line(error)})") from None
    wrong = [*told["missing_keys"], *told["mismatched_keys"]]
    if wrong:  # diffusers would leave random numbers in their place
        raise CourseError(f"weights {folder}: no weights for {shown(wrong[0])}, and {len(wrong) - 1} more")
    extra = told["unexpected_keys"]
    if (
        extra and cls.__name__ in NETWORKS
    ):  # of a larger network than the config's, which would answer something else
        raise CourseError(
            f"weights {folder}: config.json describes no {shown(extra[0])}, and {len(extra) - 1} more that the file holds"
        )
    for name, weight in made.state_dict().items():
        if not bool(weight.isfinite().all()):
            raise CourseError(f"weights {folder}: {shown(name)} holds NaN or infinity")
    return made.float()


def _unet(folder: Path) -> Any:
    path, config = _json(folder, "config.json", "unet/config.json")
    name = config.get("_class_name")
    if name not in NETWORKS:
        raise CourseError(f"weights {path}: holds a {shown(name)}, want one of {', '.join(NETWORKS)}")
    if config.get("addition_embed_type") in MORE:
        raise CourseError(
            f"weights {path}: needs more conditions than hidden states, as SDXL does; not read here"
        )
    return part(path.parent, getattr(diffusers_package(), name))


def _param(folder: Path) -> Param:
    """What the scheduler says of the network's training: t = 1..T here is t = 0..T-1 there."""
    name = "scheduler_config.json"
    path, config = _json(folder, name, f"scheduler/{name}", f"../scheduler/{name}")
    kind: Any = getattr(diffusers_package(), str(config.get("_class_name")), None)
    try:
        if not issubclass(kind, diffusers_package().SchedulerMixin):
            raise TypeError
        scheduler = kind.from_config(config)
        alpha_bar, predicts = scheduler.alphas_cumprod.double().clone(), scheduler.config.prediction_type
        if not len(alpha_bar):
            raise ValueError
    except Exception:  # no such class, or one of another kind: flows, VE, codebooks
        got = shown(config.get("_class_name"))
        raise CourseError(f"weights {path}: {got} is no scheduler with a table of alpha_bar") from None
    check_known("prediction type", predicts, PREDICTIONS)
    if alpha_bar[-1] == 0:
        # Pure noise at T (Lin et al. 2024): here a sigma that is finite, and far above the one before.
        alpha_bar[-1] = alpha_bar[-2] / 1000
    before = torch.cat([torch.ones(1, dtype=torch.float64), alpha_bar[:-1]])
    try:
        schedule = NoiseSchedule.from_betas(1 - alpha_bar / before)
    except CourseError as error:
        raise CourseError(f"weights {path}: {error}") from None

    def time(sigma: Tensor) -> Tensor:
        t = schedule.t(sigma) - 1
        # In float32 a sigma of the table is not quite one; the network's angles would show it.
        return torch.where((t - t.round()).abs() < 1e-3, t.round(), t)

    return replace(PREDICTIONS[predicts](schedule), c_noise=time)


def _json(folder: Path, *names: str) -> tuple[Path, dict[str, Any]]:
    """The first of the files that is there, and what it holds."""
    path = next((folder / name for name in names if (folder / name).is_file()), None)
    if path is None:
        raise CourseError(f"weights {folder}: no folder of diffusers, it has no {' or '.join(names)}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise CourseError(f"weights {path}: damaged, or no JSON")
    return path, content


def diffusers_package() -> Any:
    try:
        import diffusers
    except ImportError:
        raise CourseError(
            'weights: a network of diffusers needs that package: pip install "diffusion-course[hub]"'
        ) from None
    return diffusers


def _first_line(error: Exception) -> str:
    return printable((str(error).strip().splitlines() or [type(error).__name__])[0][:200])
