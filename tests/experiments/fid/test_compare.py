"""The comparison: against the metrics themselves, against pytorch-fid, and on sets whose answer is known."""

import math

import numpy as np
import pytest
import torch
from clouds import gaussian
from inception_weights import original, random_weights
from PIL import Image
from typer.testing import CliRunner

from diffusion_course import CourseError, cli
from diffusion_course.experiments import intervals, metrics
from diffusion_course.experiments.fid import command, seen, sources
from diffusion_course.experiments.fid import compare as comparison
from diffusion_course.experiments.fid.compare import compare
from diffusion_course.experiments.fid.networks import FeatureNet, judge_net
from diffusion_course.experiments.fid.sources import Images
from diffusion_course.experiments.metrics.gaussians import fitted


def images(n, seed, shift=0, told="pictures", size=3):
    g = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 200, (n, 1, 2, size), generator=g, dtype=torch.uint8) + shift
    return Images(told, n, lambda: iter(pixels.split(7)))


def features(source):
    return torch.cat([*source.batches()]).flatten(1).float() / 100


NET = FeatureNet("distance", 6, lambda pixels: pixels.flatten(1).float() / 100)


def values(comparison):
    return {number.name: number.value for number in comparison.numbers}


def test_the_numbers_are_the_metrics_of_the_features():
    a, b = images(60, 0), images(90, 1, shift=20)
    x, y = features(a), features(b)
    found = compare(a, b, NET)
    got = values(found)
    assert got["distance"] == pytest.approx(metrics.frechet(x, y), rel=1e-9)
    assert got["KID"] == pytest.approx(metrics.kid(x, y), rel=1e-9)
    assert set(got) == {"distance", "KID", "precision", "recall", "density", "coverage"}
    left_out = metrics.leave_out(lambda rows: metrics.frechet(x[rows], y), 60)
    low, high = intervals.around(got["distance"], metrics.scatter(left_out))
    assert found.numbers[0].interval == pytest.approx((low, high), rel=1e-6)
    half = found.numbers[1].interval[1] - got["KID"]
    assert half == pytest.approx(intervals.reach(metrics.kid_with_error(x, y)[1]), rel=0.5)
    assert all(number.floor is not None for number in found.numbers)
    assert found.floor == "floor: 45 pictures of B, against its other 45"
    assert found.compared == (
        "compared: KID, 60 pictures of A with 90 of B; precision, recall, density, coverage, 45 with 45, "
        "at random and without the floor's, since they depend on the number"
    )


def test_real_pictures_score_as_their_floor_and_others_do_not():
    real = images(4000, 1)
    same = compare(images(1000, 0), real, NET)
    other = compare(images(1000, 0, shift=30), real, NET)
    assert same.numbers[0].value < 3 * same.numbers[0].floor
    assert other.numbers[0].value > 10 * other.numbers[0].floor
    assert same.numbers[1].interval[0] < 0 < same.numbers[1].interval[1]
    assert other.numbers[1].interval[0] > 0
    assert same.floor == "floor: 1,000 pictures of B, against its other 3,000"
    for number in same.numbers[2:]:
        assert number.value == pytest.approx(number.floor, abs=0.1)
    assert not same.warnings


@pytest.mark.parametrize("place", range(3))
def test_a_size_that_the_network_does_not_look_at_is_told_before_anything_is_drawn(place):
    def drawn():
        pytest.fail("samples were drawn")

    net = judge_net("mnist")
    sides = [Images("right", 30, drawn, shape=(28, 1)) for _ in range(3)]
    sides[place] = Images("wrong", 30, drawn, shape=(16, 1))
    with pytest.raises(CourseError, match=r"28 x 28 pixels, got 16 x 16; leave out --judge"):
        compare(sides[0], sides[1], net, sides[2])
    with pytest.raises(CourseError, match="got 16 x 16"):
        seen.look(sides[place], net, torch.zeros(30).long(), 1)


def test_the_same_pictures_are_at_distance_zero():
    got = values(compare(images(50, 0), images(50, 0), NET))
    assert got["distance"] == pytest.approx(0, abs=1e-9)
    # Half of b is left out of the neighbours, and every ball is about a picture of a.
    assert got["coverage"] == 1


def test_the_part_for_the_floor_has_the_classes_of_the_samples():
    """Two classes far apart: in a part with other shares of them the mean alone is far from the rest."""
    b = images(400, 1)
    labels = torch.arange(400) % 2
    pixels = torch.cat([*b.batches()]) + (50 * labels[:, None, None, None]).to(torch.uint8)
    b = Images("b", 400, lambda: iter(pixels.split(7)), labels)
    a = Images("a", 60, lambda: iter(pixels[:60].split(7)), labels[:60])
    known, unknown = compare(a, b, NET), compare(Images("a", 60, a.batches), b, NET)
    assert known.floor == unknown.floor == "floor: 60 pictures of B, against its other 340"
    split = comparison._split(b, a, None, None)
    assert labels[split == 0].bincount().tolist() == [30, 30]
    few = Images("a", 3, a.batches, torch.tensor([0, 0, 9]))
    assert (comparison._split(b, few, None, None) == 0).sum() == 2  # b has no class 9
    assert (comparison._split(a, b, None, None) == 0).sum() == 30  # at most half


def test_spare_pictures_are_the_floor():
    a, b, spare = images(60, 0, shift=20), images(90, 1), images(60, 2, told="spare")
    found = compare(a, b, NET, spare)
    assert found.numbers[0].floor == pytest.approx(metrics.frechet(features(spare), features(b)), rel=1e-9)
    assert found.numbers[1].floor == pytest.approx(metrics.kid(features(spare), features(b)), rel=1e-9)
    assert found.floor == "floor: 60 pictures of spare, against B"
    assert (
        "KID, 60 pictures of A with 90 of B; precision, recall, density, coverage, 60 with 60,"
        in found.compared
    )


def test_few_pictures_have_a_distance_alone_and_a_line_that_says_so():
    found = compare(images(12, 0), images(90, 1), NET)
    assert [number.name for number in found.numbers] == ["distance"]
    assert (
        found.compared
        == "no KID, precision, recall, density, coverage: they take at least 20 pictures on each side"
    )


def test_statistics_stand_in_for_pictures():
    a, b = images(60, 0, shift=20), images(90, 1)
    whole = compare(a, b, NET).numbers[0]
    x, y = fitted(features(a)), fitted(features(b))
    found = compare(a, y, NET)
    assert [number.name for number in found.numbers] == ["distance"]
    assert found.compared is None
    assert found.numbers[0].value == pytest.approx(whole.value, rel=1e-9)
    assert found.numbers[0].interval == pytest.approx(whole.interval, rel=1e-9)
    assert found.numbers[0].floor is None
    assert "name other real ones with --floor" in found.floor
    assert str(found.numbers[0]).endswith("floor: unknown")
    assert compare(a, y, NET, images(60, 2)).numbers[0].floor > 0
    turned = compare(x, b, NET).numbers[0]
    assert turned.value == pytest.approx(whole.value, rel=1e-9)
    assert turned.interval is None
    assert compare(x, y, NET).numbers[0].value == pytest.approx(whole.value, rel=1e-9)


def test_more_pictures_than_are_kept(monkeypatch):
    a, b = images(300, 0, shift=20), images(400, 1)
    whole = compare(a, b, NET)
    monkeypatch.setattr(seen, "KEPT", 100)
    some = compare(a, b, NET)
    assert some.numbers[0] == whole.numbers[0]  # moments are of all
    for x, y in zip(some.numbers[1:], whole.numbers[1:], strict=True):
        assert x.value == pytest.approx(y.value, abs=max(0.25, 0.5 * abs(y.value)))
    kept = seen.look(a, NET, torch.arange(300) % 10, 10).kept
    assert [len(rows) for rows in kept] == [10] * 10


def test_few_pictures_have_a_distance_and_a_warning():
    found = compare(images(5, 0), images(9, 1), NET)
    assert [number.name for number in found.numbers] == ["distance"]
    assert found.numbers[0].interval is None
    assert found.numbers[0].floor is not None
    assert [line[:29] for line in found.warnings] == [
        "warning: A has 5 pictures, an",
        "warning: B has 9 pictures, an",
    ]
    assert compare(images(2, 0), images(2, 1), NET).numbers[0].floor is None


def test_pictures_of_other_sizes_have_a_warning():
    """Inception brings all to one size, and sees what that does to them."""
    net = FeatureNet("distance", 6, lambda pixels: pixels.flatten(1)[:, :6].float() / 100)
    one, other = images(600, 0), images(600, 1, size=5)
    both = [*images(300, 2).batches(), *images(300, 3, size=5).batches()]
    mixed = Images("mixed", 600, lambda: iter(both))
    for b, size in ((other, "2 x 5 pixels"), (mixed, "several sizes")):
        (line,) = compare(one, b, net).warnings
        assert line.startswith(f"warning: A has pictures of 2 x 3 pixels, B of {size}: ")
    floor = compare(one, one, net, other).warnings
    assert [line.split(":")[1] for line in floor] == [
        " A has pictures of 2 x 3 pixels, the floor of 2 x 5 pixels"
    ]
    for a, b in ((one, one), (mixed, mixed), (one, fitted(features(one)))):
        assert not compare(a, b, net).warnings


def constant(n, value=7.0):
    pixels = torch.full((n, 1, 2, 3), int(value), dtype=torch.uint8)
    return Images("grey", n, lambda: iter(pixels.split(7)))


@pytest.mark.parametrize(
    ("a", "b", "net", "told"),
    [
        (constant(30), images(30, 0), NET, "grey: all 30 pictures are the same"),
        (images(30, 0), constant(30), NET, "grey: all 30 pictures are the same"),
        (images(1, 0), images(30, 0), NET, "pictures: got 1 picture, want at least 2"),
        (images(30, 0), images(1, 0), NET, "pictures: got 1 picture, want at least 2"),
        (images(30, 0), Images("none", 0, lambda: iter([])), NET, "none: got 0 pictures, want at least 2"),
        (images(9, 0), fitted(gaussian(9, 0)), NET, "B: statistics of 5 features, want 6"),
        (fitted(gaussian(9, 0)), images(9, 0), NET, "A: statistics of 5 features, want 6"),
        (
            images(9, 0),
            images(9, 0),
            FeatureNet("x", 6, lambda p: p.flatten(1) * math.nan),
            "pictures: features: hold NaN",
        ),
    ],
)
def test_what_no_distance_can_be_measured_of_is_told(a, b, net, told):
    with pytest.raises(CourseError) as caught:
        compare(a, b, net)
    assert str(caught.value).startswith(told)


# ---- the command


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Two folders of pictures, and weights, in the current folder."""
    monkeypatch.chdir(tmp_path)
    for name, shift in (("a", 60), ("b", 0)):
        (tmp_path / name).mkdir()
        for i in range(20):
            pixels = np.random.default_rng([i, shift]).integers(0, 190, (16, 16, 3), dtype=np.uint8) + shift
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / name / f"{i}.png")
    random_weights(tmp_path / "w.pth")
    return tmp_path


def run(*words):
    return CliRunner().invoke(cli.app, ["fid", *words])


def test_the_command_says_what_pytorch_fid_says(here, monkeypatch):
    score = pytest.importorskip("pytorch_fid.fid_score")
    done = run("a", "b", "--dims", "64", "--weights", "w.pth")
    assert done.exit_code == 0, done.output
    net = original(monkeypatch, here / "w.pth", 64)
    stats = [score.compute_statistics_of_path(name, net, 50, 64, "cpu", 0) for name in "ab"]
    (mu_a, sigma_a), (mu_b, sigma_b) = stats
    values = np.linalg.eigvals(sigma_a @ sigma_b).real.clip(0)
    want = ((mu_a - mu_b) ** 2).sum() + np.trace(sigma_a + sigma_b) - 2 * np.sqrt(values).sum()
    name, value = done.stdout.splitlines()[0].split(": ")[:2]
    assert name == "FID in 64 dimensions (on another scale than the usual 2048)"
    assert float(value.split()[0]) == pytest.approx(want, rel=1e-3)
    lines = [line.split(":")[0] for line in done.stdout.splitlines()[1:]]
    assert lines == ["KID", "precision", "recall", "density", "coverage", "compared", "floor"]
    assert done.stderr.count("warning: ") == 2
    assert "A: a, folder, 20 pictures" in done.stderr


def test_statistics_are_saved_and_read(here):
    options = ("--dims", "64", "--weights", "w.pth")
    done = run("b", "b.npz", "--save-stats", *options)
    assert done.stdout == "20 pictures, 64 features: b.npz\n"
    assert metrics.read_statistics(here / "b.npz").mean.shape == (64,)
    direct, stored = (run("a", name, *options).stdout.split(";")[0] for name in ("b", "b.npz"))
    assert direct == stored
    again = run("b", "b.npz", "--save-stats", *options)
    assert (again.exit_code, again.stdout) == (2, "")
    assert "b.npz is there already" in again.stderr
    assert run("b.npz", "c.npz", "--save-stats", *options).exit_code == 2
    assert run("b", "c.txt", "--save-stats", *options).exit_code == 2
    assert "want 192" in run("a", "b.npz", "--dims", "192", "--weights", "w.pth").stderr
    assert run("a", "b.npz", "--floor", "b.npz", *options).exit_code == 2


def test_the_judge_needs_no_weights_and_no_network():
    done = run("mnist-5k:test", "mnist-5k:test", "--judge", "mnist", "--count", "30")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("Fréchet distance in the features of mnist-judge: ")


def test_the_count_is_also_that_of_samples_that_b_draws(here, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        sources,
        "draw_pictures",
        lambda model, n, *rest: drawn.append(n) or torch.rand(n, 1, 28, 28) * 2 - 1,
    )
    done = run("a", "mnist-flow", "--judge", "mnist", "--count", "15")
    assert done.exit_code == 0, done.output
    assert drawn == [15]


@pytest.mark.parametrize(
    "words", [("a", "digits:test"), ("digits:test", "a"), ("a", "b", "--floor", "digits")]
)
def test_a_folder_is_brought_to_the_size_of_what_it_is_compared_with(here, monkeypatch, words):
    """On either side; two folders stay as they are, whatever the floor is."""
    net = FeatureNet("distance", 6, lambda pixels: pixels.flatten(1)[:, 20:26].float() / 100)
    monkeypatch.setattr(command, "_net", lambda *_: net)
    done = run(*words, "--count", "20")
    assert done.exit_code == 0, done.output
    assert ("a, folder, cropped and scaled to 8 x 8 as the others, 20 pictures" in done.stderr) == (
        "b" not in words
    )
    assert ("of 16 x 16 pixels, the floor of 8 x 8" in done.stderr) == ("b" in words)


@pytest.mark.parametrize(("option", "value"), [("--dims", "64"), ("--weights", "w.pth")])
def test_a_judge_and_inception_are_not_both_taken(option, value):
    done = run("digits", "digits", "--judge", "mnist", option, value)
    assert done.exit_code == 2
    assert done.stderr.startswith("error: --judge: has features of its own")


def test_the_network_is_not_built_for_pictures_that_are_not_there(monkeypatch):
    monkeypatch.setattr(command, "_net", None)
    for words in (("none/a", "digits"), ("digits", "none/b"), ("digits", "digits:test", "--floor", "none/c")):
        done = run(*words)
        assert done.exit_code == 2
        assert "no such folder" in done.stderr
