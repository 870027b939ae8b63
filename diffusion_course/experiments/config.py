"""Configs: what a run trains on what, checked whole before any work.

config = read_config("mnist-edm")
config.noise                          # LogNormal(mean=-0.4, std=1.2)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeGuard

from ..errors import CourseError, check_known, check_number
from ..files import user_path
from ..parametrisations import Param, edm_param, eps_param, flow_param, v_param, x0_param
from ..schedules import BETAS, NoiseSchedule
from . import config_text, net_parts, parts, tokens
from .captioned import GRAMMARS
from .data import Source, describe
from .recipe import Recipe

CONFIGS = Path(__file__).parent.parent / "configs"

OWN_LOSS: dict[type[parts.Part], type[parts.Part]] = {
    net_parts.AutoencoderShape: parts.ReconstructionLoss,
    net_parts.ImageTextShape: parts.ContrastiveLoss,
    net_parts.TokenTransformerShape: parts.MaskedLoss,
}
"""Networks that are neither denoisers nor classifiers, and the loss of each."""
OWNER = {"cross-entropy": "a classifier", **{loss.kind: net_parts.told(of) for of, loss in OWN_LOSS.items()}}


@dataclass(frozen=True)
class Config:
    """All that makes a run. Raises CourseError for parts that do not go together.

    data: a data set's name, or the path of pictures. latents: for a denoiser of an autoencoder's latents. parametrisation: of
    denoisers only. noise: of those and of the classifier of noisy images. schedule: where parametrisation or noise need one.
    label_dropout: the share of labels left out in training.
    """

    data: str
    net: net_parts.Net
    loss: parts.Loss
    recipe: Recipe
    parametrisation: parts.Parametrisation | None = None
    noise: parts.Noise | None = None
    latents: parts.Latents | None = None
    schedule: parts.Schedule | None = None
    label_dropout: float = 0.0

    def __post_init__(self) -> None:
        check_number("label_dropout", self.label_dropout, lambda v: 0 <= v <= 1, "in 0..1")
        if isinstance(self.net, net_parts.Denoising):
            self._check_denoiser(self.net)
        else:
            self._check_other(self.net)

    @classmethod
    def of(cls, mapping: object) -> Config:
        """The config that a YAML file or a card holds; `of(config.as_dict()) == config`.

        Every part is `{kind: ..., key: value, ...}`, or its kind alone; what is left out has its default, or what `model` says.
        Raises CourseError for an unknown name, with the nearest known one, and for a value of another kind or out of range.
        """
        return cls(**config_text.read(mapping))

    def as_dict(self) -> dict[str, Any]:
        """The config in full, as JSON and YAML can hold it: every part with its kind, every key with its value."""
        held = {name: getattr(self, name) for name in config_text.PARTS}
        return {name: config_text.written(value) for name, value in held.items() if value is not None}

    def _check_other(self, net: net_parts.Net) -> None:
        """Of a network that is no denoiser."""
        own = OWN_LOSS.get(type(net), parts.CrossEntropyLoss)
        if not isinstance(self.loss, own):
            raise CourseError(f"loss: got {self.loss.kind!r}, want {own.kind!r} for {net_parts.told(net)}")
        noisy = isinstance(net, net_parts.NoisyClassifierShape | net_parts.ImageTextShape)
        tokens = isinstance(net, net_parts.TokenTransformerShape)
        wanted = {"noise"} if noisy else {"label_dropout"} if tokens else set()
        for name in ("parametrisation", "noise", "schedule", "latents", "label_dropout"):
            if name not in wanted and getattr(self, name):
                raise CourseError(f"{name}: {net_parts.told(net)} takes none; leave it out")
        if noisy and not isinstance(self.noise, parts.LogNormal | parts.LogitNormal | parts.UniformTime):
            raise CourseError(f"noise: {net_parts.told(net)} needs one of log-normal, logit-normal, uniform")

    def _check_denoiser(self, net: net_parts.Denoising) -> None:
        param, noise, loss = self.parametrisation, self.noise, self.loss
        if loss.kind in OWNER:
            got = f"{loss.kind!r}, which is {OWNER[loss.kind]}'s"
            raise CourseError(f"loss: got {got}; the network is {net_parts.told(net)}")
        for name in ("parametrisation", "noise"):
            if getattr(self, name) is None:
                known = ", ".join(config_text.KINDS[name])
                raise CourseError(f"{name}: {net_parts.told(net)} needs one of {known}")
        if self.latents and isinstance(net, net_parts.TextUNetShape):
            raise CourseError(f"latents: {net_parts.told(net)} takes none; leave it out")
        users = [one.kind for one in (param, noise) if isinstance(one, parts.NEED_SCHEDULE)]
        if users and self.schedule is None:
            raise CourseError(f"schedule: {' and '.join(map(repr, users))} need one of {', '.join(BETAS)}")
        if self.schedule is not None and not users:
            raise CourseError("schedule: neither parametrisation nor noise uses it; leave it out")
        if isinstance(loss, parts.EdmLoss) and not isinstance(param, parts.EdmParam):
            raise CourseError("loss: 'edm' takes sigma_data from the parametrisation, which must be 'edm'")
        bound = isinstance(loss, parts.VlbLoss | parts.HybridLoss)
        if bound and not isinstance(noise, parts.ScheduleTimes):
            raise CourseError(
                f"loss: {loss.kind!r} is a sum over the steps of a schedule; want the noise 'schedule'"
            )
        if bound and self.latents:
            raise CourseError(f"loss: {loss.kind!r} counts the grey levels of pixels; latents have none")
        learned_variance = isinstance(net, net_parts.UNetShape) and net.learned_variance
        if isinstance(loss, parts.HybridLoss) and not learned_variance:
            raise CourseError(
                "loss: 'hybrid' trains variances; want a unet with learned_variance: true as net"
            )
        if learned_variance and not bound:
            raise CourseError(
                f"net: learned_variance: the loss {loss.kind!r} trains no variance; want 'hybrid' or 'vlb'"
            )
        if learned_variance and not isinstance(param, parts.EpsParam):
            raise CourseError("net: learned_variance: goes with the parametrisation 'eps' alone")

    @cached_property
    def noise_schedule(self) -> NoiseSchedule:
        """The schedule's table; for a config that has one."""
        assert self.schedule is not None
        return self.schedule.made()

    @cached_property
    def param(self) -> Param:
        """What the network sees and predicts, as coefficients; for a config of a denoiser."""
        match self.parametrisation:
            case parts.EdmParam(sigma_data=sigma_data):
                return edm_param(sigma_data)
            case parts.EpsParam():
                return eps_param(self.noise_schedule)
            case parts.X0Param():
                return x0_param(self.noise_schedule)
            case parts.VParam():
                return v_param(self.noise_schedule)
        return flow_param()


def read_config(source: str, steps: int | None = None, data: str | None = None) -> Config:
    """A config by name (one of those that ship) or by path of a YAML file, checked whole. steps: instead of the recipe's.

    data: instead of the config's; the network then takes its size, channels and number of classes from there. Pictures
    shrink to the config's image_size, and have 3 channels where it names none.
    Raises CourseError for one that cannot be read or used.
    """
    if not source.endswith((".yaml", ".yml")):
        check_known("config", source, [path.stem for path in CONFIGS.glob("*.yaml")])
        path = CONFIGS / f"{source}.yaml"
    else:
        path = user_path(source)
    try:
        mapping = config_text.load(path)
        if steps is not None and isinstance(mapping, dict) and isinstance(mapping.get("recipe"), dict):
            mapping["recipe"]["steps"] = steps
        if data is not None and isinstance(mapping, dict):
            mapping = {**mapping, "data": data}
        config = Config.of(mapping)
        asked = config.net
        if data is not None:
            config = _fitted(config, _source(config), mapping)
        check_fit(config, _source(config), mapping)
        _check_attention(asked, config.net)
        _check_dropout(config)
    except CourseError as error:
        raise CourseError(f"config {path}: {error}") from None
    return config


def _source(config: Config) -> Source:
    """What is known of the config's data, before anything is read."""
    if isinstance(config.net, net_parts.TokenTransformerShape):
        tokens.check(config.data, config.net.shape, config.net.states)
        return tokens.describe(config.data)
    if config.data == tokens.TEXT:
        raise CourseError(
            f"data: {config.data} is a text, got the net {config.net.kind!r}, want 'token-transformer'"
        )
    return describe(config.data)


def _fitted(config: Config, data: Source, given: object) -> Config:
    """The config with a network that fits the data set. given: what the file says."""
    net = given.get("net") if isinstance(given, Mapping) else None
    colours = net["channels"] if isinstance(net, Mapping) and "channels" in net else 3
    sizes = {"image_size": data.size, "channels": data.channels or colours, "num_classes": len(data.classes)}
    if config.latents:
        sizes = {"num_classes": len(data.classes)}  # of images, the autoencoder has the size
    known = {one.name for one in fields(config.net)}
    change: dict[str, Any] = {
        name: value for name, value in sizes.items() if value is not None and name in known
    }
    if getattr(config.net, "num_classes", 0) == 0:
        change.pop("num_classes", None)
    fitted = replace(config.net, **change)
    if _chosen_attention(fitted):  # as it is at this size: what a run writes down can be read again
        fitted = replace(fitted, attention=tuple(one for one in fitted.attention if one in _sizes(fitted)))
    return replace(config, net=fitted)


def _chosen_attention(net: net_parts.Net) -> TypeGuard[net_parts.UNetShape | net_parts.TextUNetShape]:
    """Has this U-Net other attention than its default, which may stand for none?"""
    return (
        isinstance(net, net_parts.UNetShape | net_parts.TextUNetShape)
        and net.attention != type(net)().attention
    )


def _sizes(net: net_parts.UNetShape | net_parts.TextUNetShape) -> list[int]:
    """The resolutions that a U-Net has."""
    return [net.image_size // net.patch_size >> level for level in range(len(net.widths))]


def _check_attention(asked: net_parts.Net, net: net_parts.Net) -> None:
    """Raise CourseError for attention at a resolution that a U-Net has neither as it was asked for nor as it fits its data.

    Of what is to be trained alone, as the next one is: files of weights with such a config are as good as they were.
    """
    if not _chosen_attention(asked):
        return
    assert isinstance(net, net_parts.UNetShape | net_parts.TextUNetShape)
    known = dict.fromkeys([*_sizes(asked), *_sizes(net)])
    for size in asked.attention:
        if size not in known:
            raise CourseError(
                f"net: attention: got {size}, want some of {', '.join(map(str, known))}, the resolutions that this {net.kind} has"
            )


def _check_dropout(config: Config) -> None:
    """Raise CourseError for labels that are to be left out where the network is told none."""
    if config.label_dropout and getattr(config.net, "num_classes", None) == 0:
        raise CourseError(
            f"label_dropout: got {config.label_dropout:g}, and the network has no classes (net: num_classes: 0);"
            " leave it out, or give it the data's number of classes"
        )


def check_fit(config: Config, data: Source, given: object) -> None:
    """Raise CourseError unless the network fits the data set; given: what the file says.

    A class too few would silently make the last one "no label", and one too many is never trained.
    """
    if isinstance(config.net, net_parts.Reading) and config.data not in GRAMMARS:
        names = ", ".join(GRAMMARS)
        raise CourseError(
            f"data: {net_parts.told(config.net)} takes a set with captions ({names}), got {config.data}"
        )
    without = isinstance(config.net, net_parts.Denoising | net_parts.TokenTransformerShape)
    classes = {0, len(data.classes)} if without else {len(data.classes)}
    sizes, channels = {data.size}, {data.channels}
    if data.size is None:  # pictures, which become what the network takes
        sizes, channels = {getattr(config.net, "image_size", None)}, {1, 3}
    wanted: dict[str, set] = {"image_size": sizes, "channels": channels, "num_classes": classes}
    if config.latents:  # the network's size is that of the latents, see `zoo.latent_space`
        wanted = {"num_classes": classes}
    for key, values in wanted.items():
        got = getattr(config.net, key, None)
        if got is not None and got not in values:
            net = given.get("net") if isinstance(given, Mapping) else None
            default = "" if isinstance(net, Mapping) and key in net else " (the default)"
            want = " or ".join(map(str, sorted(values, reverse=True)))
            none = " (0: without classes)" if 0 in values else ""
            raise CourseError(f"net: {key}: got {got}{default}, want {want}{none} for {config.data}")
