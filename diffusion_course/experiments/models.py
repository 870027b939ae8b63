"""Models by name, for config files: what a network is, what it is trained on, and what it becomes afterwards."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn

from ..denoisers import Preconditioned, edm_param, eps_param, flow_param
from ..errors import CourseError
from ..schedules import NoiseSchedule, by_name
from .config import EDM, NETWORKS, check_model, net_of
from .objectives import (
    classifier_objective,
    denoiser_objective,
    log_normal,
    noisy_classifier_objective,
    simple_objective,
)
from .training import Loss


@dataclass(frozen=True)
class Model:
    """A fresh network, its loss, and `finish`, which turns the trained network into what users call."""

    net: nn.Module
    loss: Loss
    finish: Callable[[nn.Module], nn.Module]


def classifier(config: dict[str, Any]) -> Model:
    """Images to class logits."""
    return Model(make(config), classifier_objective(), lambda net: net)


def noisy_classifier(config: dict[str, Any]) -> Model:
    """Noisy images and their noise level to class logits, for classifier guidance."""
    return Model(make(config), noisy_classifier_objective(log_normal(0.0, 1.5)), lambda net: net)


def flow(config: dict[str, Any]) -> Model:
    """Straight path: eps - x_0, at logit-normal times."""
    param = flow_param()
    loss = denoiser_objective(param, log_normal(0.0, 1.0), config.get("label_dropout", 0.0))
    return Model(make(config), loss, lambda net: Preconditioned(net, param))


def edm(config: dict[str, Any]) -> Model:
    """Karras et al. 2022: preconditioned, log-normal noise levels. The config's `edm` may hold sigma_data, p_mean, p_std."""
    knobs = EDM | config.get("edm", {})
    param = edm_param(knobs["sigma_data"])
    draw_sigma = log_normal(knobs["p_mean"], knobs["p_std"])
    loss = denoiser_objective(param, draw_sigma, config.get("label_dropout", 0.0))
    return Model(make(config), loss, lambda net: Preconditioned(net, param))


def eps(schedule_name: str, config: dict[str, Any]) -> Model:
    """L_simple on a schedule of T = 1000 steps."""
    schedule = NoiseSchedule.from_betas(by_name(schedule_name, 1000))
    loss = simple_objective(schedule, config.get("label_dropout", 0.0))
    return Model(make(config), loss, lambda net: Preconditioned(net, eps_param(schedule)))


MODELS: dict[str, Callable[[dict[str, Any]], Model]] = {
    "classifier": classifier,
    "noisy-classifier": noisy_classifier,
    "flow": flow,
    "edm": edm,
    "eps-linear": partial(eps, "linear"),
    "eps-cosine": partial(eps, "cosine"),
}


def build(config: dict[str, Any]) -> Model:
    """The model a config describes: its `model`, `net`, `label_dropout` and `edm`.

    Raises CourseError as `config.check_model` does, and for a network that cannot be made.
    """
    check_model(config)
    return MODELS[config["model"]](config)


def make(config: dict[str, Any]) -> nn.Module:
    """The network alone."""
    try:
        return NETWORKS[config["model"]](**net_of(config))
    except (MemoryError, RuntimeError) as error:
        raise CourseError(f"net: cannot be made ({str(error).splitlines()[0][:120]})") from None
