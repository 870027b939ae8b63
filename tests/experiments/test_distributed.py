"""Several processes train as one does: the same gradient, the same run, one that writes, and all stop together."""

import json
import os
import sys
from pathlib import Path

import pytest
import torch
import yaml
from experiments import train_together
from experiments.tiny import TINY

from diffusion_course import CourseError
from diffusion_course.experiments.distributed import Processes, joined

HERE = Path(__file__).parent
STEPS, STOP = train_together.STEPS, train_together.STOP


@pytest.fixture(scope="module")
def accelerate():
    return pytest.importorskip("accelerate", reason="accelerate is not installed")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Sums over threads may differ in their order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def runs(accelerate, tmp_path_factory, run_python):
    """The folder of all runs, and a function that reads what the processes of one kept."""
    folder = tmp_path_factory.mktemp("together")
    paths = os.pathsep.join(map(str, (HERE.parent, HERE.parents[1])))
    environment = {"OMP_NUM_THREADS": "1", "PYTHONPATH": paths, "GLOO_SOCKET_IFNAME": "lo"}
    done = run_python(HERE / "train_together.py", folder, env=environment)
    assert done.returncode == 0, done.stderr
    return folder, lambda name: [torch.load(path) for path in sorted(folder.glob(f"{name}-?.pt"))]


@pytest.fixture(scope="module")
def alone():
    """The same run in one process: after one step, and after all."""

    def run(**options):
        t = train_together.trainer(**options)
        losses = [progress.loss for progress in t.run()]
        return train_together.kept(t, losses=losses)

    return {"first": run(steps=1), "whole": run()}


def assert_near(a, b, most):
    assert a.keys() == b.keys()
    assert max(float((a[name] - b[name]).abs().max()) for name in a) <= most


@pytest.mark.parametrize(("name", "count"), [("first-2-1", 2), ("first-3-1", 3), ("first-2-2", 2)])
def test_the_gradient_is_the_one_processs(runs, alone, name, count):
    """Of two, of three with unlike shares, and of two with two pieces each."""
    reports = runs[1](name)
    assert len(reports) == count
    assert max(float(g.abs().max()) for g in alone["first"]["gradients"].values()) > 0.01
    for report in reports:
        assert report["losses"] == pytest.approx(alone["first"]["losses"], abs=1e-6)
        assert_near(report["gradients"], alone["first"]["gradients"], 1e-6)
        assert_near(report["gradients"], reports[0]["gradients"], 0)


def test_where_one_of_them_is_full_it_alone_takes_smaller_pieces(runs, alone):
    first, second = runs[1]("full")
    assert_near(first["gradients"], alone["first"]["gradients"], 1e-6)
    assert first["said"] == []
    assert second["said"] == [
        "out of GPU memory: 8 images are now computed in 2 pieces, whose gradients add up"
    ]


def test_one_writes_and_a_run_goes_on_in_another_number_of_processes(runs, alone):
    folder, kept = runs
    begun, resumed = kept("begun"), kept("resumed")
    assert [report["written"] for report in begun] == [[1, 2, 3], []]
    assert [report["start"] for report in resumed] == [STOP] * 3  # also where the file is not seen
    assert [report["step"] for report in resumed] == [STEPS] * 3
    assert not (folder / "another machine").exists()
    both = begun[0]["losses"] + resumed[0]["losses"]
    assert both == pytest.approx(alone["whole"]["losses"], abs=1e-4)
    for report in resumed:
        assert_near(report["weights"], resumed[0]["weights"], 0)
        assert_near(report["weights"], alone["whole"]["weights"], 1e-3)


def test_one_process_goes_on_with_what_two_began(runs, alone):
    folder, kept = runs
    t = train_together.trainer(checkpoint=folder / "again" / "checkpoint.pt")
    assert t.step == STOP
    assert len(list(t.run())) == STEPS - STOP
    assert_near(t.ema.state_dict(), alone["whole"]["weights"], 1e-3)
    assert [report["step"] for report in kept("again")] == [STOP] * 2


def test_all_stop_after_the_same_step(runs):
    """The launcher tells one; the checkpoint is of a whole step."""
    folder, kept = runs
    reports = kept("stopped")
    assert [report["told"] for report in reports] == ["stopped"] * 2
    assert [report["step"] for report in reports] == [3, 3]
    assert torch.load(folder / "stopped" / "checkpoint.pt")["step"] == 3


def test_what_is_no_number_in_one_stops_all(runs):
    folder, kept = runs
    for report in kept("nan"):
        assert report["told"] == "training: the loss is nan at step 3; lower lr (now 0.002)"
        assert all(torch.isfinite(value).all() for value in report["weights"].values())
    assert torch.load(folder / "nan" / "checkpoint.pt")["step"] == 2


@pytest.mark.usefixtures("accelerate")
def test_the_command_under_accelerates_launcher(tmp_path, run_python):
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY))
    launch = [
        "-m",
        "accelerate.commands.launch",
        "--multi_gpu",
        "--num_processes",
        "2",
        "--num_machines",
        "1",
    ]
    launch += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    train = ["-m", "diffusion_course.cli", "train", path, "--out", tmp_path / "run", "--device", "cpu"]
    environment = {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    done = run_python(*launch, *train, "--no-track", env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"weights and card: {tmp_path / 'run'}\n"
    assert done.stderr.count("trained; measuring") == 1
    card = json.loads((tmp_path / "run" / "tiny.json").read_text())
    assert card["command"].startswith("accelerate launch --num_processes 2 -m diffusion_course.cli train ")
    assert card["device"].startswith("2 x ")
    assert len((tmp_path / "run" / "curve.jsonl").read_text().splitlines()) == 1


# ---- alone


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("n", [1, 2, 16, 17])
def test_shares_are_the_whole(n, count):
    rows = []
    for rank in range(count):
        processes = Processes()
        processes.count, processes.rank = count, rank
        low, high = processes.share(n)
        assert high - low in (n // count, n // count + 1)
        rows += range(low, high)
    assert rows == list(range(n))


def test_a_batch_has_a_row_for_each_process():
    processes = Processes()
    processes.count = 4
    with pytest.raises(
        CourseError, match="batch_size: got 3, want an image at least for each of 4 processes"
    ):
        train_together.trainer(processes, batch_size=3)


def test_several_processes_without_accelerate_say_what_to_install(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert joined("cpu")[0].count == 1  # somebody's variable, and no launcher's
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(CourseError, match=r"pip install 'diffusion-course\[scale\]'"):
        joined(None)
    with pytest.raises(CourseError, match="each of several processes has a GPU of its own"):
        joined("cuda:1")
