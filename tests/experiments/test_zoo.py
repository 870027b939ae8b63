"""The shipped weights do what their cards say, and a damaged file is named in one line."""

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from experiments.tiny import CARD, TINY
from safetensors.torch import load_file, save

from diffusion_course import schedules
from diffusion_course.denoisers import Preconditioned, edm_param, eps_param, flow_param
from diffusion_course.errors import CourseError
from diffusion_course.experiments import data, metrics, zoo
from diffusion_course.experiments.config import Config, read_config
from diffusion_course.experiments.drawing import draw
from diffusion_course.experiments.models import network
from diffusion_course.nets.unet import UNet


@pytest.mark.parametrize("name", zoo.names())
def test_every_shipped_file_has_a_whole_card_and_is_small(name):
    card = zoo.cards()[name]
    assert card.keys() >= CARD
    own = re.fullmatch(
        rf"diffusion-course train {name}(?: --data ([\w.-]+))?(?: --until (\d+))?", card["command"]
    )
    assert own, "the command trains something else"
    config = read_config(name)
    trained = Config.of(card["config"])
    assert trained.data == (own[1] or config.data)
    assert replace(trained, data=config.data) == config, (
        "the config has changed since the weights were trained"
    )
    assert card["steps"] == int(own[2] or config.recipe.steps)
    assert (zoo.FOLDER / f"{name}.safetensors").stat().st_size <= 4e6
    model = zoo.read(zoo.FOLDER / f"{name}.safetensors")
    net = getattr(model, "net", model)  # of latents, the autoencoder has a file of its own
    assert sum(p.numel() for p in net.parameters()) == card["parameters"]
    assert not any(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("name", [name for name in zoo.names() if "-eps-" in name or name.endswith("-edm")])
def test_the_cards_of_denoisers_tell_quality_with_error_bars(name):
    """What the course says of its networks: class-conditional samples can be recognised, and guidance helps."""
    without, guided = (zoo.cards()[name]["metrics"][f"guidance {w}"] for w in (1, 2))
    assert guided["recognised"]["n"] == without["recognised"]["n"] == 1000
    least = {"fashion": 0.90, "cifar10": 0.80}.get(name.split("-")[0], 0.98)
    assert guided["recognised"]["share"] >= least
    assert guided["recognised"]["wilson 95 %"][0] > without["recognised"]["wilson 95 %"][1]
    assert guided["frechet"] < without["frechet"]
    assert 0 < guided["floor"] < guided["frechet"]


@pytest.mark.parametrize(
    ("name", "share", "floors", "guided"),
    [
        ("mnist-edm-long", 0.96, 4, 0.995),
        ("mnist-flow-long", 0.96, 4, 0.995),
        ("fashion-mnist-edm-fine", 0.88, 8, 0.95),
    ],
)
def test_long_runs_come_near_to_real_images(name, share, floors, guided):
    """On the cards, without guidance: as many are recognised as of real images, and the distance is a few of its floors."""
    metrics = zoo.cards()[name]["metrics"]
    without = metrics["guidance 1"]
    assert without["recognised"]["share"] >= share
    assert without["frechet"] <= floors * without["floor"]
    assert metrics["guidance 2"]["recognised"]["share"] >= guided


@pytest.mark.parametrize("name", [name for name in zoo.names() if name.endswith("-masked")])
def test_models_of_tokens_beat_counting(name):
    """On the card, of the same rows of the test set; digits can be read."""
    metrics = zoo.cards()[name]["metrics"]
    assert metrics["bigram - bound"]["low"] > 0
    assert metrics["bigram"]["mean"] < metrics["unigram"]["mean"]
    if "recognised" in metrics:
        assert metrics["recognised"]["share"] >= 0.9
    if "known words" in metrics:
        assert metrics["known words"]["share"] >= 0.5
    model = zoo.token_model(name)
    assert model.states == zoo.cards()[name]["config"]["net"]["states"]


def test_the_judges_are_good_and_all_files_together_are_small():
    cards = zoo.cards()
    assert cards["mnist-judge"]["metrics"]["test accuracy"]["share"] >= 0.992
    assert cards["fashion-mnist-judge"]["metrics"]["test accuracy"]["share"] >= 0.92
    assert cards["cifar10-judge"]["metrics"]["test accuracy"]["share"] >= 0.83
    assert sum(path.stat().st_size for path in zoo.FOLDER.iterdir()) <= 30e6


def test_the_judge_reads_real_digits_it_has_not_been_measured_on():
    digits = data.load("mnist-5k", "test")
    right = metrics.count_recognised(zoo.judge("mnist"), digits.images, digits.labels)
    assert right / len(digits) >= 0.99


def test_the_judge_reads_the_shipped_digits():
    drawn = draw(zoo.load("mnist-flow"), 60, 2.0, seed=5)
    right = metrics.count_recognised(zoo.judge("mnist"), drawn.images, drawn.labels)
    # At the card's 0.98 or more, 54 of 60 or fewer has a probability below 1e-3.
    assert right >= 55


def test_a_file_comes_back_as_it_was_written(tmp_path):
    config = Config.of(TINY)
    net = network(config)
    zoo.write(tmp_path / "a.safetensors", net, config)
    back = zoo.read(tmp_path / "a.safetensors")
    for name, tensor in net.state_dict().items():
        torch.testing.assert_close(back.net.state_dict()[name], tensor, atol=1e-3, rtol=1e-3)


def test_a_flipped_bit_in_the_numbers_is_told(tmp_path):
    path = tmp_path / "a.safetensors"
    zoo.write(path, network(Config.of(TINY)), Config.of(TINY))
    whole = path.read_bytes()
    begin = 8 + int.from_bytes(whole[:8], "little")
    for place in range(begin, len(whole), (len(whole) - begin) // 40):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(CourseError, match=r"a\.safetensors: .*checksum does not fit"):
            zoo.read(path)


def test_bad_files_are_one_line(tmp_path):
    path = tmp_path / "a.safetensors"
    other = Config.of(TINY | {"net": TINY["net"] | {"widths": [16, 16]}})
    zoo.write(path, network(Config.of(TINY)), other)
    with pytest.raises(CourseError, match="another architecture"):
        zoo.read(path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CourseError, match="not a weights file"):
        zoo.read(path)
    with pytest.raises(CourseError, match="no such file"):
        zoo.read(tmp_path / "b.safetensors")
    with pytest.raises(CourseError, match="did you mean 'mnist-flow'"):
        zoo.load("mnist-flwo")
    with pytest.raises(CourseError, match="is a classifier"):
        zoo.load("mnist-judge")


def old_denoiser(card, net):
    """What a card's model meant when its weights were made: the parametrisation, by hand."""
    kind = card["config"]["model"]
    if kind.startswith("eps-"):
        schedule = schedules.NoiseSchedule.from_betas(schedules.by_name(kind.removeprefix("eps-"), 1000))
        return Preconditioned(net, eps_param(schedule))
    return Preconditioned(
        net, flow_param() if kind == "flow" else edm_param(card["config"]["edm"]["sigma_data"])
    )


def trained(*names):
    """Those of the names whose weights ship; a config can be here before them."""
    return [name for name in names if name in zoo.names()]


@pytest.mark.parametrize("name", trained("mnist-autoencoder", "mnist-autoencoder-plain"))
def test_the_autoencoders_keep_what_the_judge_sees(name):
    told = zoo.cards()[name]["metrics"]
    assert told["squared error"] < 0.01
    assert told["agreement"]["share"] >= 0.99
    assert told["reconstructions"]["frechet"] < told["reconstructions"]["floor"] + 0.3


@pytest.mark.parametrize("name", trained("mnist-latent-dit", "mnist-latent-unet", "mnist-dit"))
def test_transformers_and_denoisers_of_latents_draw_digits(name):
    without, guided = (zoo.cards()[name]["metrics"][f"guidance {w}"] for w in (1, 2))
    assert guided["recognised"]["share"] >= 0.95
    assert guided["recognised"]["share"] > without["recognised"]["share"]
    model = zoo.load(name)
    drawn = draw(model, 60, 2.0, seed=5)
    assert drawn.images.shape == (60, 1, 28, 28)
    assert metrics.count_recognised(zoo.judge("mnist"), drawn.images, drawn.labels) >= 51


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, card in zoo.cards().items()
        if "model" in card["config"] and not name.endswith(("judge", "classifier", "masked"))
    ],
)
def test_an_old_card_gives_the_denoiser_it_always_gave(name):
    """Bit by bit, from a config of the old form: the network of its `net`, and the parametrisation of its `model`."""
    card = zoo.cards()[name]
    net = UNet(**{k: v for k, v in card["config"]["net"].items() if k != "kind"})
    net.load_state_dict(load_file(zoo.FOLDER / f"{name}.safetensors"))
    net = net.to(memory_format=torch.channels_last).eval().requires_grad_(False)
    x, y = torch.randn(2, 1, 28, 28, generator=torch.Generator().manual_seed(0)), torch.tensor([3, 7])
    for sigma in (0.01, 0.7, 30.0):
        now, then = zoo.load(name), old_denoiser(card, net)
        for D, E in ((now, then), (now.given(y), then.given(y))):
            assert torch.equal(D((1 + sigma**2) ** 0.5 * x, sigma), E((1 + sigma**2) ** 0.5 * x, sigma))


@pytest.mark.parametrize(
    "held", [None, [], "x", 1, {}, {"model": "flow"}, {"model": "flow", "data": 1, "recipe": {}}]
)
def test_a_file_whose_config_is_none_is_one_line(tmp_path, held):
    path = tmp_path / "a.safetensors"
    path.write_bytes(save({"a": torch.zeros(1)}, {"config": json.dumps(held)}))
    with pytest.raises(CourseError) as caught:
        zoo.read(path)
    assert str(caught.value).startswith(f"weights {path}: ")
    assert "\n" not in str(caught.value)


def test_the_folder_of_a_run_stands_for_its_weights(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").write_text("model: flow")
    (run / "checkpoint.pt").write_bytes(b"x")
    with pytest.raises(CourseError, match="has no weights yet; the same `train` command goes on to its end"):
        zoo.load(run)
    with pytest.raises(CourseError, match=r"checkpoint\.pt: what training goes on from; want its folder"):
        zoo.load(run / "checkpoint.pt")
    config = Config.of(TINY)
    zoo.write(run / "tiny.safetensors", network(config), config)
    assert zoo.load(run).net.num_classes == 10
    assert zoo.config(run) == config
    zoo.write(run / "other.safetensors", network(config), config)
    with pytest.raises(
        CourseError, match=r"has several weights, want one of other\.safetensors, tiny\.safetensors$"
    ):
        zoo.load(run)


@pytest.mark.parametrize("kind", [str, Path])
@pytest.mark.parametrize(
    "name", ["runs/mnist-flo", "elsewhere/mnist-flo", "./mnist-flo", "elsewhere/a/mnist-flo", "~/mnist-flo"]
)
def test_a_mistyped_path_is_no_name_on_the_hub(tmp_path, monkeypatch, name, kind):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(zoo.hub, "fetched", lambda name: pytest.fail("asked the network"))
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(CourseError) as caught:
        zoo.load(kind(name))
    told = str(caught.value)
    if "/" in str(kind(name)):  # Path("./name") is Path("name")
        assert told.startswith("weights ")
        told_of_hub = " (not looked up on the hub: a folder 'elsewhere' lies here)" * (
            "elsewhere/mnist" in name
        )
        assert (
            f"mnist-flo: no such file or folder{told_of_hub}; no run lies beside it; weights that ship: "
            in told
        )
    assert ", mnist-flow, " in told
    assert "\n" not in told


def test_what_lies_beside_a_mistyped_run_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("trial", "long", "no-run"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    for name in ("trial", "long"):
        (tmp_path / "runs" / name / "config.yaml").write_text("model: flow")
    told = "no such file or folder; runs beside it: did you mean 'trial'? known: long, trial; weights that ship: "
    with pytest.raises(CourseError, match=f"^weights runs/tirals?: {re.escape(told)}"):
        zoo.load("runs/tirals")


def test_a_path_is_told_so_and_other_names_are_the_hubs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = []
    monkeypatch.setattr(zoo.hub, "fetched", lambda name: asked.append(name) or tmp_path)
    monkeypatch.setattr(zoo.hub, "load", lambda path, device: path)
    for name in ("google/ddpm-cifar10-32", "owner/network"):
        assert zoo.load(name) == tmp_path
    with pytest.raises(CourseError, match="no such file or folder"):
        zoo.load(Path("owner/network"))
    assert asked == ["google/ddpm-cifar10-32", "owner/network"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CourseError, match=r"pipe: want a file or a folder, and it is neither$"):
        zoo.load(tmp_path / "pipe")


@pytest.mark.parametrize("name", [None, 3, ["mnist-flow"]])
def test_what_is_no_name_at_all(name):
    with pytest.raises(CourseError, match=r"^weights: got .*, want a name or a path$"):
        zoo.load(name)


def test_files_of_tensors_that_do_not_say_of_which_network(tmp_path):
    tensors = network(Config.of(TINY)).state_dict()
    torch.save(tensors, tmp_path / "mine.pt")
    (tmp_path / "mine.safetensors").write_bytes(save(dict(tensors)))
    for name, loader in (("mine.pt", "torch.load("), ("mine.safetensors", "safetensors.torch.load_file(")):
        with pytest.raises(CourseError) as caught:
            zoo.load(tmp_path / name)
        told = str(caught.value)
        assert told.startswith(f"weights {tmp_path / name}: ")
        assert "does not say of which network" in told
        assert f"load_state_dict({loader}" in told
        assert "NVIDIA" not in told
        assert "\n" not in told


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "mps", torch.device("cuda:99"), 3])
def test_a_device_that_cannot_be_had(device):
    name = "mnist-autoencoder"
    for load in (
        lambda: zoo.load("mnist-flow", device),
        lambda: zoo.judge("mnist", device),
        lambda: zoo.autoencoder(name, device),
        lambda: draw(zoo.load("mnist-flow"), 2, device=device),
    ):
        with pytest.raises(CourseError, match="device") as caught:
            load()
        assert "\n" not in str(caught.value)
