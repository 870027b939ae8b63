"""What is seen of a run: held-out loss on fixed draws, pictures of samples, trackers; and that looking changes nothing."""

import json
import os
import sys
import types

import pytest
import torch
import yaml
from experiments.tiny import TINY
from experiments.training_runs import network as plain_network
from PIL import Image
from torch import nn

from diffusion_course import CourseError
from diffusion_course.experiments import data, runs, zoo
from diffusion_course.experiments.config import Config
from diffusion_course.experiments.models import network
from diffusion_course.experiments.objectives import objective
from diffusion_course.experiments.training import Progress
from diffusion_course.experiments.watching import Every, Looks, Validation, Watch, samples, trackers

STEPS = TINY | {"recipe": {"steps": 5, "batch_size": 4}}


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(STEPS))
    return str(path)


def curve(folder):
    return [json.loads(line) for line in (folder / "curve.jsonl").read_text().splitlines()]


# ---- a whole run


def test_a_run_that_is_watched_is_the_run_that_is_not(config, tmp_path):
    looks = Looks(validate_every=2, sample_every=3)
    runs.train(config, tmp_path / "seen", device="cpu", looks=looks)
    runs.train(config, tmp_path / "unseen", device="cpu")
    seen, unseen = (torch.load(tmp_path / run / "checkpoint.pt")["net"] for run in ("seen", "unseen"))
    assert all(torch.equal(seen[name], unseen[name]) for name in unseen)
    lines = curve(tmp_path / "seen")
    assert [line["step"] for line in lines] == [2, 4, 5]
    assert all(0.5 < line["validation loss"] < 3 for line in lines)
    assert [line["step"] for line in lines if "training loss" in line] == [5]
    assert sorted(os.listdir(tmp_path / "seen" / "samples")) == ["step-0000003.png", "step-0000005.png"]
    for path in (tmp_path / "seen" / "samples").iterdir():
        assert Image.open(path).size[0] > 100
    assert [set(line) for line in curve(tmp_path / "unseen")] == [{"step", "training loss", "seconds"}]
    assert not (tmp_path / "unseen" / "samples").exists()


def test_a_run_that_resumes_measures_later_steps_again(config, tmp_path):
    out, looks = tmp_path / "run", Looks(validate_every=1)

    def interrupted(steps):
        for step in steps:
            if step == 3:
                raise KeyboardInterrupt
            yield step

    with pytest.raises(KeyboardInterrupt):
        runs.train(config, out, device="cpu", progress=interrupted, looks=looks)
    assert [line["step"] for line in curve(out)] == [1, 2, 3]
    with open(
        out / "curve.jsonl", "a"
    ) as file:  # a process that died here had got further than its checkpoint
        file.write('{"step": 4, "validation loss": 7}\n{"step": 5, "va')
    runs.train(config, out, device="cpu", looks=looks)
    assert [line["step"] for line in curve(out)] == [1, 2, 3, 4, 5]
    assert max(line["validation loss"] for line in curve(out)) < 7


def test_looks_that_cannot_be_are_told_before_any_work(tmp_path):
    path = tmp_path / "judge.yaml"
    net = {"num_classes": 10, "image_size": 8}
    path.write_text(yaml.safe_dump(STEPS | {"model": "classifier", "net": net}))
    with pytest.raises(CourseError, match="--sample-every: a classifier draws no samples; leave it out"):
        runs.train(str(path), tmp_path / "run", device="cpu", looks=Looks(sample_every=1))
    assert not (tmp_path / "run").exists()


def test_a_validation_loss_without_test_pictures_is_told_before_any_work(config, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("a", "b"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        Image.new("RGB", (9, 9)).save(tmp_path / "pictures" / name / "1.png")
    pictures = str(tmp_path / "pictures")
    with pytest.raises(
        CourseError, match=r"^--validate-every: .*holds no test pictures.*; or leave the option out$"
    ):
        runs.train(config, tmp_path / "run", device="cpu", data_name=pictures, looks=Looks(validate_every=1))


# ---- the loss of held-out images


def held_out(loss, size, n=100):
    test = data.stream("digits", "test")
    return Validation(loss, test.images[:n], test.labels[:n], torch.device("cpu"), size)


def test_the_validation_loss_is_the_objectives_on_draws_that_stay():
    config = Config.of(TINY)
    torch.manual_seed(0)
    net = network(config).eval()
    validate = held_out(objective(config), 100)
    value, state = validate(net), torch.get_rng_state()
    assert validate(net) == value
    assert torch.equal(torch.get_rng_state(), state)
    images, labels = validate.batches.images, validate.batches.labels
    with torch.no_grad():
        expected = objective(config)(net, images, labels, torch.Generator().manual_seed(0))
    assert value == pytest.approx(expected.item(), rel=1e-6)
    for size in (1, 7, 64):  # the same draws, whatever is computed at a time
        assert held_out(objective(config), size)(net) == pytest.approx(value, rel=1e-5)
    with torch.no_grad():
        for weight in net.parameters():
            weight.add_(0.1)
    assert validate(net) != value


def test_a_loss_that_draws_by_itself_validates_on_the_same_draws_too():
    def loss(net, x, y, generator):
        noise = torch.randn(x.shape, generator=generator)
        return (net(x + noise) - x.flatten(1).sum(1, keepdim=True)).square().mean()

    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
    validate = held_out(loss, 32)
    assert validate(net) == validate(net)


def test_at_most_a_thousand_images_are_looked_at():
    test = data.stream("digits", "train")
    assert len(test.images) > 1000
    validate = Validation(lambda *_: torch.ones(()), test.images, test.labels, torch.device("cpu"), 300)
    assert len(validate.batches) == 1000
    assert validate(plain_network()) == pytest.approx(1.0)


# ---- pictures


@pytest.mark.parametrize("num_classes", [0, 10])
def test_pictures_of_a_network_with_classes_and_without(num_classes):
    config = Config.of(TINY | {"net": TINY["net"] | {"num_classes": num_classes}})
    net = network(config).eval()
    first = samples.png(config, net, 3)
    assert first.startswith(b"\x89PNG")
    assert samples.png(config, net, 3) == first  # from the same noise


# ---- trackers


class Recorder:
    def __init__(self, fails=False):
        self.seen, self.fails = [], fails

    def numbers(self, step, values):
        if self.fails:
            raise OSError("No space left on device")
        self.seen.append((step, dict(values)))

    def picture(self, step, path):
        self.seen.append((step, path.name))

    def close(self):
        self.seen.append("closed")


def watch_through(watch, steps):
    for step in range(1, steps + 1):
        watch(Progress(step, float(step), 0.1 * step))
    watch.close()


def test_the_training_loss_is_a_mean_since_the_last_point(tmp_path):
    recorder = Recorder()
    watch_through(Watch(nn.Identity(), 120, tmp_path, [recorder], print), 120)
    points = [(step, values["training loss"]) for step, values in recorder.seen[:-1]]
    assert points == [(50, 25.5), (100, 75.5), (120, 110.5)]
    assert recorder.seen[-1] == "closed"


def test_a_tracker_that_fails_is_told_and_left_out_and_the_run_goes_on(tmp_path):
    good, said = Recorder(), []
    watch = Watch(nn.Identity(), 100, tmp_path, [Recorder(fails=True), good], said.append)
    watch.samples = (Every(60), lambda net, step: b"picture")
    watch_through(watch, 100)
    assert said == ["from here without Recorder: No space left on device"]
    assert [seen if seen == "closed" else seen[0] for seen in good.seen] == [50, 60, 100, 100, "closed"]


def test_tensorboard_is_told_everything(tmp_path):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    picture = tmp_path / "x.png"
    Image.new("RGB", (20, 10), (255, 0, 0)).save(picture)
    board = trackers.TensorBoard(tmp_path / "board", 0)
    for step in (1, 2):
        board.numbers(step, {"training loss": step / 2})
    board.picture(2, picture)
    board.close()
    events = EventAccumulator(str(tmp_path / "board")).Reload()
    assert [(event.step, event.value) for event in events.Scalars("training loss")] == [(1, 0.5), (2, 1.0)]
    (image,) = events.Images("samples")
    assert (image.step, image.width, image.height) == (2, 20, 10)


def test_weights_and_biases_keeps_a_run_on_the_machine(tmp_path, run_python, monkeypatch):
    """The real package, offline, in a process of its own: it starts a service and hooks into its process."""
    pytest.importorskip("wandb", reason="wandb is not installed")
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    Image.new("RGB", (20, 10)).save(tmp_path / "x.png")
    script = tmp_path / "track.py"
    script.write_text(
        "import pathlib, sys\n"
        "from diffusion_course.experiments.watching.trackers import WeightsAndBiases\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "run = WeightsAndBiases(folder / 'run', 'tiny', {'data': 'digits'})\n"
        "assert run.run.settings.mode == 'offline'\n"
        "run.numbers(1, {'training loss': 0.5})\n"
        "run.picture(1, folder / 'x.png')\n"
        "run.close()\n"
    )
    done = run_python(script, tmp_path)
    assert done.returncode == 0, done.stderr
    (written,) = (tmp_path / "run" / "wandb").glob("offline-run-*")
    assert list(written.glob("run-*.wandb"))
    assert list(written.rglob("*.png"))


class FakeWandb(types.ModuleType):
    def __init__(self, fails=False):
        super().__init__("wandb")
        self.fails, self.started, self.told = fails, None, []
        self.Settings, self.Image = dict, str
        self.run = types.SimpleNamespace(
            log=lambda values, step: self.told.append((step, values)), finish=lambda: self.told.append("end")
        )

    def init(self, **settings):
        if self.fails:
            raise RuntimeError("no API key\nrun wandb login")
        self.started = settings
        return self.run


@pytest.mark.parametrize(("chosen", "mode"), [(None, "offline"), ("online", "online")])
def test_nothing_leaves_the_machine_unless_it_is_asked_to(tmp_path, monkeypatch, chosen, mode):
    monkeypatch.delenv("WANDB_MODE", raising=False)
    if chosen:
        monkeypatch.setenv("WANDB_MODE", chosen)
    monkeypatch.setitem(sys.modules, "wandb", fake := FakeWandb())
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    (tracker,) = trackers.found(tmp_path / "run", "tiny", {"data": "digits"}, 0, pytest.fail)
    tracker.numbers(3, {"training loss": 1.0})
    tracker.picture(3, tmp_path / "x.png")
    tracker.close()
    assert (fake.started["mode"], fake.started["name"]) == (mode, "tiny")
    assert fake.started["config"] == {"data": "digits"}
    assert fake.told == [(3, {"training loss": 1.0}), (3, {"samples": str(tmp_path / "x.png")}), "end"]


def test_what_is_not_installed_is_not_missed_and_what_does_not_start_is_told(tmp_path, monkeypatch):
    said = []
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert trackers.found(tmp_path, "tiny", {}, 0, said.append) == []
    assert said == []
    monkeypatch.setitem(sys.modules, "wandb", FakeWandb(fails=True))
    assert trackers.found(tmp_path, "tiny", {}, 0, said.append) == []
    assert said == ["without Weights & Biases: no API key"]


def test_a_run_tells_the_trackers_it_finds(config, tmp_path, monkeypatch):
    recorder = Recorder()
    monkeypatch.setattr(trackers, "found", lambda folder, name, settings, start, say: [recorder])
    runs.train(config, tmp_path / "run", device="cpu", looks=Looks(sample_every=5, track=True))
    assert [seen if seen == "closed" else seen[0] for seen in recorder.seen] == [5, 5, "closed"]
    assert zoo.load(str(tmp_path / "run" / "tiny.safetensors"))


# ---- the options beside them


def test_a_run_in_pieces_is_the_run_and_its_card_says_so(config, tmp_path):
    whole = runs.train(config, tmp_path / "whole", device="cpu")
    card = runs.train(config, tmp_path / "pieces", device="cpu", accumulate=2)
    assert card["command"] == f"{whole['command']} --accumulate 2"
    nets = [torch.load(tmp_path / run / "checkpoint.pt")["net"] for run in ("whole", "pieces")]
    for name in nets[0]:
        torch.testing.assert_close(nets[0][name], nets[1][name], rtol=0, atol=5e-3)


def test_a_network_is_compiled_or_one_line_says_why_not(config, tmp_path, monkeypatch):
    compiled = nn.Module.compile
    monkeypatch.setattr(nn.Module, "compile", lambda net: compiled(net, backend="eager"))
    card = runs.train(config, tmp_path / "compiled", device="cpu", compiled=True)
    assert card["command"].endswith(" --compile")
    plain = runs.train(config, tmp_path / "plain", device="cpu")
    assert plain["parameters"] == card["parameters"]
    nets = [torch.load(tmp_path / run / "checkpoint.pt")["net"] for run in ("plain", "compiled")]
    assert nets[0].keys() == nets[1].keys()
    for name in nets[0]:
        torch.testing.assert_close(nets[0][name], nets[1][name], rtol=0, atol=5e-3)

    def no_compiler(graph, inputs):
        raise RuntimeError("no C++ compiler\nmore")

    monkeypatch.setattr(nn.Module, "compile", lambda net: compiled(net, backend=no_compiler))
    with pytest.raises(CourseError, match=r"^--compile: [^\n]*no C\+\+ compiler[^\n]*; leave it out$"):
        runs.train(config, tmp_path / "refused", device="cpu", compiled=True)
