"""Every study from its settings to its file: a few of its rows, made small, on tiny networks."""

import json

import pytest

from diffusion_course import schedules as noise
from diffusion_course.experiments import studies, zoo
from diffusion_course.experiments.studies import Lab, ddim_steps, equal_cost, losses, schedules, shown
from diffusion_course.experiments.studies.study import Study, load, run_study

SMALL = {"n": 20, "steps": 2, "T": 20, "images": 2, "evaluations": 3}


@pytest.fixture
def lab(run, tmp_path, monkeypatch, few_digits):
    """A lab in which every network is a tiny one, another for each seed."""
    for seed in (0, 1, 2):
        run(f"{seed}.safetensors", seed=seed)
        run(f"hybrid-{seed}.safetensors", seed=seed, loss="hybrid", net={"learned_variance": True})

    def network(self, model, seed=0, twin=None):
        name = f"hybrid-{seed}" if model == losses.HYBRID else str(seed)
        return self._read(
            tmp_path / "runs" / f"{name}.safetensors",
            str(tmp_path / f"runs/{name}.safetensors"),
            f"runs/{name}.safetensors",
        )

    monkeypatch.setattr(Lab, "network", network)
    monkeypatch.setattr(Lab, "snapshot", lambda self, model, epochs, seed: network(self, model, seed))
    monkeypatch.setattr(equal_cost, "FINE", 3)
    monkeypatch.setattr(ddim_steps, "FINE", 3)
    monkeypatch.setattr(schedules, "TIMES", (1, 500))
    monkeypatch.setattr(losses, "COSINE", noise.NoiseSchedule.from_betas(noise.cosine(30)))
    judge = zoo.judge("mnist")
    monkeypatch.setattr(zoo, "judge", lambda name, device="cpu": judge)
    return Lab(runs=tmp_path / "runs")


def small(name):
    """The first rows of each training seed, and those that another kind of measurement begins with."""
    settings = studies.get(name).settings
    kinds = {}
    for setting in settings:
        kind = [setting.get(key) for key in ("seed", "variance", "variant", "model", "denoiser")]
        kinds.setdefault((*kind, setting.get("scale", 0) > 0), setting)
    return [{k: SMALL.get(k, v) if v else v for k, v in s.items()} for s in kinds.values()]


@pytest.mark.parametrize("name", studies.names())
def test_rows_of_every_kind_are_measured_and_summed_up(name, lab, tmp_path, capsys):
    study = studies.get(name)
    settings = small(name)
    made = run_study(name, Study(study.what, settings, study.measure), tmp_path / "out", lab)
    assert made == load(name, tmp_path / "out")
    missing = ["CIFAR-10"] if name == "solvers" else []
    assert [line[: len("CIFAR-10")] for line in made.missing] == missing
    assert len(made.rows) == len(settings) - len(missing)
    assert len(made.shipped().rows) < len(made.rows)
    json.dumps(made.summary, allow_nan=False)
    summed = made.over_seeds()
    assert {tuple(row["training seeds"]) for row in summed.rows} & {(0, 1, 2)}
    keys = [key for key in study.settings[0] if key not in ("training seed", "seed")]
    measured = [key for key, value in summed.rows[0].items() if isinstance(value, dict)]
    shown.show_over_seeds(summed, keys, measured, name)
    assert name in capsys.readouterr().out


def test_differences_over_seeds_are_shown(lab, tmp_path, capsys):
    study = studies.get("ddim")
    rows = [
        s | {"n": 20, "steps": 2} for s in study.settings if s["steps"] == 5 and s["timesteps"] == "uniform"
    ]
    made = run_study("ddim", Study("", rows, study.measure), tmp_path / "out", lab)
    pair = (made.where(model="mnist-eps-cosine", eta=1.0), made.where(model="mnist-eps-cosine", eta=0.0))
    found, p = shown.show_differences_over_seeds({"eta 1 minus eta 0": pair})
    difference = found["eta 1 minus eta 0"]
    assert difference.low < difference.value < difference.high
    assert p["eta 1 minus eta 0"] == difference.p
    assert "eta 1 minus eta 0" in capsys.readouterr().out
