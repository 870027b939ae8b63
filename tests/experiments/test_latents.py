"""From an autoencoder to samples of a transformer in its latents: trained, written, read, drawn and decoded. All small."""

import json

import pytest
import torch
import yaml
from PIL import Image
from shared import close, draws

from diffusion_course import samplers, schedules
from diffusion_course.errors import CourseError
from diffusion_course.experiments import data, drawing, graphs, latents, runs, zoo
from diffusion_course.experiments.config import Config, read_config
from diffusion_course.experiments.models import network
from diffusion_course.experiments.objectives import objective
from diffusion_course.experiments.watching import Looks
from diffusion_course.nets.autoencoder import Autoencoder

CODER = {
    "model": "autoencoder",
    "data": "digits",
    "net": {"image_size": 8, "latent_channels": 3, "widths": [8, 8]},
    "recipe": {"steps": 30, "batch_size": 64, "lr": 1.0e-2, "warmup": 5, "ema": 0.9},
}
DENOISER = {
    "model": "edm",
    "data": "digits",
    "label_dropout": 0.1,
    "edm": {"sigma_data": 1.0},
    "net": {
        "kind": "dit",
        "image_size": 2,
        "channels": 3,
        "patch_size": 1,
        "width": 16,
        "depth": 1,
        "heads": 2,
        "num_classes": 10,
    },
    "recipe": {"steps": 2, "batch_size": 4},
}
GRID = schedules.karras(4)


def written(folder, name, config):
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(config))
    return str(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With a trained autoencoder, coder.safetensors, and a denoiser of its latents, dit.safetensors, and their cards."""
    folder = tmp_path_factory.mktemp("latents")
    runs.train(written(folder, "coder", CODER), folder, device="cpu")
    (folder / "checkpoint.pt").unlink()
    runs.train(written(folder, "dit", latent_config(folder)), folder / "dit", device="cpu")
    return folder


def latent_config(folder, **change):
    return DENOISER | {"latents": str(folder / "coder.safetensors")} | change


def test_the_autoencoder_learns_and_its_card_tells_it(folder):
    card = json.loads((folder / "coder.json").read_text())
    told = card["metrics"]
    assert told["squared error"] < 0.6 * data.load("digits", "test").images.var()
    assert 0 < told["squared error standard error"] < 0.1 * told["squared error"]
    assert len(told["latent std of channels"]) == 3
    coder = zoo.autoencoder(folder / "coder.safetensors")
    assert card["parameters"] == sum(w.numel() for w in coder.parameters())
    assert Config.of(card["config"]) == read_config(str(folder / "coder.yaml"))


def test_latents_are_encoded_once_with_unit_standard_deviation(folder):
    """The scale is a result: it stands on the card, and configs that differ in it alone are the same."""
    card = json.loads((folder / "dit" / "dit.json").read_text())
    held = card["config"]["latents"]
    assert held == yaml.safe_load((folder / "dit" / "config.yaml").read_text())["latents"]
    coder = zoo.autoencoder(folder / "coder.safetensors")
    mean, _ = coder.encode(data.load("digits").images)
    assert held["scale"] == pytest.approx(1 / mean.std().item(), rel=1e-3)
    assert Config.of(card["config"]) == read_config(str(folder / "dit.yaml"))
    model = zoo.load(folder / "dit" / "dit.safetensors")
    assert isinstance(model, latents.LatentDenoiser)
    assert card["parameters"] == sum(w.numel() for w in model.net.parameters())
    close(model.space.encode(data.load("digits").images), held["scale"] * mean, 1e-4)
    assert model.space.encode(data.load("digits").images).std().item() == pytest.approx(1, abs=2e-3)
    assert model.space.shape == (3, 2, 2)
    assert not any(w.requires_grad for w in model.parameters())


def test_samples_are_drawn_in_latents_and_come_as_images(folder):
    model = zoo.load(folder / "dit" / "dit.safetensors")
    drawn = drawing.draw(model, 12, 2.0, GRID, samplers.heun, seed=3, batch=5)
    assert drawn.images.shape == (12, 1, 8, 8)
    assert drawn.images.abs().max() <= 1
    start, labels = drawing.initial(model, 12, 3, "cpu")
    assert start.shape == (12, 3, 2, 2)
    D = model.given(labels)
    z = samplers.sample(
        lambda x, sigma: 2 * D(x, sigma) - model(x, sigma), GRID[0] * start, GRID, samplers.heun
    )
    close(drawn.images, model.space.decode(z).clamp(-1, 1), 1e-4)
    paths = drawing.draw_paths(model, 3, seed=5)
    assert paths.grey.shape == (31, 3, 1, 8, 8)
    close(paths.grey[-1].clamp(-1, 1), drawing.draw(model, 3, seed=5).images, 1e-4)


def test_a_run_in_latents_is_watched_as_images(folder, tmp_path):
    """Samples are decoded, and held-out images are encoded with the training set's scale."""
    config = written(tmp_path, "dit", latent_config(folder))
    runs.train(config, tmp_path / "run", device="cpu", looks=Looks(validate_every=1, sample_every=2))
    curve = [json.loads(line) for line in (tmp_path / "run" / "curve.jsonl").read_text().splitlines()]
    assert 0.5 < curve[0]["validation loss"] < 1.5  # of unit variance: a network that answers 0 has 1
    picture = Image.open(tmp_path / "run" / "samples" / "step-0000002.png")
    assert min(picture.size) >= 8
    with pytest.raises(CourseError, match="--sample-every: an autoencoder draws no samples"):
        runs.train(str(folder / "coder.yaml"), tmp_path / "coder", looks=Looks(sample_every=2))


def test_a_latent_is_not_clipped_and_its_scale_is_taken_back():
    coder = Autoencoder(8, latent_channels=3, widths=(8, 8)).eval()
    x = draws(3, 1, 8, 8).float().clamp(-1, 1)
    for scale in (0.1, 1.0, 7.0):
        space = latents.LatentSpace(coder, scale)
        close(space.encode(x), scale * coder.encode(x)[0], 1e-6)
        close(space.decode(space.encode(x)), coder(x)[0], 1e-5)
    pixels = torch.randint(0, 256, (3, 1, 8, 8), dtype=torch.uint8)
    assert torch.equal(space.encode(pixels), space.encode(pixels.float() / 127.5 - 1))


def test_the_scale_is_one_over_the_standard_deviation():
    z = 3 + 5 * draws(400, 4, 7, 7)
    assert latents.latent_scale(z) == pytest.approx(0.2, rel=0.01)
    assert (latents.latent_scale(z) * z).std(correction=0).item() == pytest.approx(1, abs=1e-12)
    for bad in (torch.zeros(2, 4, 7, 7), torch.full((2, 4, 7, 7), float("nan"))):
        with pytest.raises(CourseError, match=r"^latents: their standard deviation is (0|nan), want"):
            latents.latent_scale(bad)


def test_a_run_goes_on_in_the_same_latents_only(folder, tmp_path):
    config = written(tmp_path, "dit", latent_config(folder))
    runs.train(config, tmp_path / "run", device="cpu")
    said = []
    runs.train(config, tmp_path / "run", device="cpu", say=said.append)
    assert said == ["finished before: all 2 steps are done"]
    scaled = latent_config(folder, latents={"autoencoder": str(folder / "coder.safetensors"), "scale": 9})
    written(tmp_path, "dit", scaled)
    with pytest.raises(
        CourseError, match=r"its run had other images, latents\.scale [\d.]+ .asked: 9.; use a new folder"
    ):
        runs.train(config, tmp_path / "run", device="cpu")
    model = runs.train(config, tmp_path / "another", device="cpu")
    assert model["config"]["latents"]["scale"] == 9
    assert zoo.load(tmp_path / "another" / "dit.safetensors").space.scale == 9


def test_an_autoencoder_that_was_trained_again_is_told(folder, tmp_path):
    content = {name: (folder / name).read_bytes() for name in ("coder.safetensors", "dit/dit.safetensors")}
    coder = tmp_path / "coder.safetensors"
    coder.write_bytes(content["coder.safetensors"])
    config = written(tmp_path, "dit", latent_config(tmp_path))
    runs.train(config, tmp_path / "run", device="cpu")
    zoo.write(coder, network(Config.of(CODER)), Config.of(CODER))
    with pytest.raises(
        CourseError, match=r"^weights .*latents: .* is not the one that the latents were made"
    ):
        zoo.load(tmp_path / "run" / "dit.safetensors")
    with pytest.raises(CourseError, match=r"other images, other latents\.digest, latents\.scale [\d.]+ "):
        runs.train(config, tmp_path / "run", device="cpu")
    coder.unlink()
    with pytest.raises(CourseError, match=r"^weights .*latents: weights .*coder\.safetensors: no such file"):
        zoo.load(tmp_path / "run" / "dit.safetensors")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"net": DENOISER["net"] | {"channels": 1}},
            r"^net: got channels: 1 and image_size: 2, want channels: 3",
        ),
        ({"net": DENOISER["net"] | {"image_size": 4}}, r"^net: got channels: 3 and image_size: 4, want"),
        ({"data": "mnist-5k"}, r"^latents: the data are \(1, 28, 28\), want \(1, 8, 8\), which"),
        ({"latents": "mnist-judge"}, r"^latents: 'mnist-judge' is no autoencoder$"),
        ({"latents": "mnist-autoencodr"}, r"^latents: unknown weights 'mnist-autoencodr'"),
        ({"latents": "nowhere.safetensors"}, r"^latents: weights nowhere\.safetensors: no such file$"),
        ({"latents": 3}, r"latents: got 3, want lines like"),
        ({"latents": {"scale": 2}}, r"latents: lacks the key 'autoencoder'"),
        (
            {"latents": {"autoencoder": "a", "scale": 0}},
            r"latents: scale: got 0, want a number above 0, up to 1e\+06",
        ),
        ({"latents": {"autoencoder": ""}}, r"latents: autoencoder: got '', want text"),
        (
            {"latents": {"autoencoder": "a", "sclae": 1}},
            r"latents: unknown key 'sclae': did you mean 'scale'",
        ),
        (
            {"model": "eps-linear", "loss": "vlb"},
            r"loss: 'vlb' counts the grey levels of pixels; latents have none",
        ),
        ({"net": DENOISER["net"] | {"num_classes": 7}}, r"net: num_classes: got 7, want 10 or 0"),
        ({"model": "classifier", "net": "classifier"}, r"latents: a classifier takes none; leave it out"),
    ],
)
def test_what_does_not_fit_is_told_before_any_step(folder, tmp_path, change, message):
    config = latent_config(folder)
    if "model" in change:
        config = {key: v for key, v in config.items() if key not in ("label_dropout", "edm")}
    with pytest.raises(CourseError, match=message) as caught:
        runs.train(written(tmp_path, "bad", config | change), tmp_path / "run", device="cpu")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run" / "config.yaml").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss": "simple"}, "loss: got 'simple', want 'reconstruction' for an autoencoder"),
        ({"noise": "log-normal"}, "noise: an autoencoder takes none; leave it out"),
        ({"label_dropout": 0.1}, "label_dropout: an autoencoder takes none"),
        ({"loss": {"kind": "reconstruction", "beta": -1}}, r"loss: beta: got -1, want a number in 0..1e\+06"),
        ({"net": {"image_size": 10}}, "net: image_size: got 10, want 8 for digits"),
        (
            {"net": "unet", "parametrisation": "edm", "noise": "log-normal"},
            "which is an autoencoder's; the network",
        ),
    ],
)
def test_an_autoencoder_has_no_parts_of_a_denoiser(tmp_path, change, message):
    with pytest.raises(CourseError, match=message):
        read_config(written(tmp_path, "bad", CODER | change))


def test_files_of_another_kind_are_told(folder):
    with pytest.raises(
        CourseError, match=r"coder\.safetensors' is an autoencoder, not a denoiser; use zoo\.autoenc"
    ):
        zoo.load(folder / "coder.safetensors")
    with pytest.raises(CourseError, match="'mnist-flow' is no autoencoder"):
        zoo.autoencoder("mnist-flow")
    own = folder / "loop.safetensors"  # names itself as its autoencoder
    config = Config.of(latent_config(folder, latents=str(own)))
    zoo.write(own, network(config), config)
    with pytest.raises(
        CourseError, match=r"^weights .*loop\.safetensors: latents: '.*loop\.safetensors' is no auto"
    ):
        zoo.load(own)


def test_a_transformer_of_pixels_is_trained_and_drawn_from(tmp_path):
    net = {
        "kind": "dit",
        "image_size": 8,
        "patch_size": 2,
        "width": 8,
        "depth": 1,
        "heads": 1,
        "num_classes": 10,
    }
    config = {key: v for key, v in DENOISER.items() if key != "net"} | {"net": net}
    runs.train(written(tmp_path, "dit", config), tmp_path, device="cpu")
    drawn = drawing.draw(zoo.load(tmp_path / "dit.safetensors"), 4, 2.0, GRID)
    assert drawn.images.shape == (4, 1, 8, 8)
    assert drawn.images.abs().max() <= 1


@pytest.mark.parametrize(
    ("config", "tensors"),
    [(CODER, 2), (CODER | {"loss": {"kind": "reconstruction", "beta": 0}}, 1), (DENOISER, 3)],
)
def test_a_gpu_can_replay_each_of_the_networks(monkeypatch, config, tensors):
    """Called once a step, with nothing but tensors, and without buffers: what a CUDA graph asks of them."""
    recorded = []
    monkeypatch.setattr(
        torch.cuda, "make_graphed_callables", lambda net, examples, **how: recorded.append(examples)
    )
    config = Config.of(config)
    net, loss = network(config), objective(config)
    shape = (3, 2, 2) if config.label_dropout else (1, 8, 8)
    replayed = graphs.Replayed(net, True, print)
    for _ in range(3):
        loss(net, draws(4, *shape).float(), torch.arange(4), torch.Generator().manual_seed(0)).backward()
        replayed.after_step(None)
    assert [len(examples) for examples in recorded] == [tensors]
