"""A study is measured row by row, resumes, and says where its numbers are from."""

import json
import os
import re
import signal
import time

import pytest
import torch

from diffusion_course import CourseError
from diffusion_course.experiments import resume, studies
from diffusion_course.experiments.studies import Lab
from diffusion_course.experiments.studies.lab import Missing
from diffusion_course.experiments.studies.study import RESULTS, Study, for_seeds, load, run_study

SETTINGS = [{"n": n, "seed": 0} for n in (1, 2, 3)]


def squares(calls, stop_at=None, missing=()):
    def measure(setting, lab):
        assert lab.device == torch.device("cpu")
        if setting["n"] == stop_at:
            raise KeyboardInterrupt
        if setting["n"] in missing:
            raise Missing(f"no {setting['n']}")
        calls.append(setting["n"])
        return {"square": setting["n"] ** 2}

    return Study("Squares of small numbers", SETTINGS, measure)


def go(study, out, **more):
    return run_study("squares", study, out, Lab(), **more)


def interrupted(out):
    with pytest.raises(KeyboardInterrupt):
        go(squares([], stop_at=3), out)
    return out / "squares.part.jsonl"


def test_a_study_is_written_with_its_provenance_and_read_back(tmp_path):
    made = go(squares([]), tmp_path)
    assert load("squares", tmp_path) == made
    assert [row["square"] for row in made.rows] == [1, 4, 9]
    assert made.command == "diffusion-course study squares"
    assert "CPU" in made.device
    assert made.version.startswith("0.")
    assert "code" in made.version
    assert made.where(seed=0) == made.rows == made.shipped().rows
    assert made.one(n=2)["square"] == 4
    assert made.over_seeds().one(n=2)["square"] == {"mean": 4, "95 %": None, "each": [4]}
    assert [path.name for path in tmp_path.iterdir()] == ["squares.json"]


def test_an_interrupted_study_goes_on_where_it_stopped(tmp_path):
    calls = []
    with pytest.raises(KeyboardInterrupt):
        go(squares(calls, stop_at=3), tmp_path)
    assert calls == [1, 2]
    with pytest.raises(CourseError, match="none yet; run `diffusion-course study squares`"):
        load("squares", tmp_path)
    go(squares(calls), tmp_path)
    assert calls == [1, 2, 3]
    assert len(load("squares", tmp_path).rows) == 3


def test_a_study_that_is_killed_again_and_again_ends_with_each_row_measured_once(tmp_path):
    """SIGKILL, at any moment of any row: what was announced as measured is not measured again."""
    settings = [{"n": n} for n in range(12)]
    log = tmp_path / "measured"

    def measure(setting, lab):
        time.sleep(0.01)
        with open(log, "a") as file:
            file.write(f"{setting['n']}\n")
        return {"square": setting["n"] ** 2, "long": "x" * 5000}

    study = Study("", settings, measure)
    for pause in (0.0, 0.02, 0.035, 0.05, None):
        child = os.fork()
        if child == 0:
            go(study, tmp_path)
            os._exit(0)
        if pause is not None:
            while not log.exists():
                time.sleep(0.002)
            time.sleep(pause)
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert [row["square"] for row in load("squares", tmp_path).rows] == [n**2 for n in range(12)]
    again = log.read_text().split()
    assert sorted(set(map(int, again))) == list(range(12))
    assert len(again) - len(set(again)) <= 4  # of each death at most the row that was under way


def test_a_line_that_was_cut_off_counts_as_not_written(tmp_path):
    path = interrupted(tmp_path)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    ends = [sum(map(len, lines[: i + 1])) for i in range(len(lines))]
    for kept in (
        0,
        1,
        *(end + shift for end in ends for shift in (-30, -1, 0, 1) if end + shift <= len(whole)),
    ):
        path.write_bytes(whole[:kept])
        calls = []
        assert len(go(squares(calls), tmp_path).rows) == 3
        assert calls == [1, 2, 3][max(0, sum(end <= kept for end in ends) - 1) :]


def test_rows_whose_network_is_not_there_are_left_for_the_next_time(tmp_path):
    told, calls = [], []
    made = go(squares(calls, missing=(1, 3)), tmp_path, say=told.append)
    assert told == made.missing == ["no 1", "no 3"]
    assert [row["n"] for row in load("squares", tmp_path).rows] == [2]
    made = go(squares(calls), tmp_path, say=told.append)
    assert calls == [2, 1, 3]
    assert [row["n"] for row in made.rows] == [1, 2, 3]
    assert made.missing == []
    assert [path.name for path in tmp_path.iterdir()] == ["squares.json"]


def test_a_study_without_a_row_writes_no_results(tmp_path):
    made = go(squares([], missing=(1, 2, 3)), tmp_path)
    assert made.rows == []
    assert not (tmp_path / "squares.json").exists()


def test_rows_of_another_study_are_not_mixed_in(tmp_path, monkeypatch):
    """Settings, code, weights, torch: what differs is named, before anything is measured."""
    part = interrupted(tmp_path)
    kept = part.read_text()

    def refusal(settings=SETTINGS):
        calls = []
        with pytest.raises(CourseError) as caught:
            go(Study("", settings, squares(calls).measure), tmp_path)
        assert calls == []
        assert part.read_text() == kept
        return str(caught.value)

    assert "measured with another settings.seed; delete it" in refusal([{**s, "seed": 1} for s in SETTINGS])
    assert "another settings.n, settings.seed" in refusal(SETTINGS[:2])
    assert "another settings.w;" in refusal([{**s, "w": 1} for s in SETTINGS])
    code, weights = resume.code(), resume.weights()
    assert {"samplers.py", "experiments/studies/ddim.py"} <= code.keys()
    monkeypatch.setattr(resume, "code", lambda: code | {"samplers.py": "edited"})
    assert "another samplers.py;" in refusal()
    monkeypatch.setattr(resume, "code", lambda: code)
    monkeypatch.setattr(resume, "weights", lambda: dict.fromkeys(weights, "trained again"))
    assert f"and {len(weights) - 6} more;" in refusal()


def test_a_network_that_was_trained_again_makes_its_rows_stale(tmp_path, run):
    lab, path = Lab(runs=tmp_path / "runs"), run("mnist-x-seed-1/mnist-x-seed-1.safetensors")

    def measure(setting, lab):
        lab.network("mnist-x", 1)
        if setting["n"] == 3:
            raise KeyboardInterrupt
        return {}

    study = Study("", SETTINGS, measure)
    with pytest.raises(KeyboardInterrupt):
        run_study("nets", study, tmp_path, lab)
    run("mnist-x-seed-1/mnist-x-seed-1.safetensors", net={"widths": [16]})
    with pytest.raises(CourseError, match=f"another runs/mnist-x-seed-1/{path.name}; delete it"):
        run_study("nets", study, tmp_path, Lab(runs=tmp_path / "runs"))


def test_damage_before_the_last_line_is_told(tmp_path):
    path = interrupted(tmp_path)
    lines = path.read_text().splitlines(keepends=True)
    row = json.loads(lines[1])
    other = {**row, "row": {**row["row"], "n": 7}}
    for content in (
        "[]\n",
        "{\n",
        "\x00\xff\n",
        lines[0] + "{}\n",
        lines[0] + "3\n",
        lines[0] + json.dumps(other) + "\n",
        lines[0] + json.dumps({**row, "setting": {"n": 9}}) + "\n",
        "".join([*lines, lines[1]]),
        lines[1] + lines[0],
    ):
        path.write_text(content)
        with pytest.raises(CourseError, match="damaged; delete it to start afresh"):
            go(squares([]), tmp_path)


def test_the_folder_is_looked_at_before_the_first_row(tmp_path):
    (tmp_path / "file").touch()
    calls = []
    with pytest.raises(CourseError, match="cannot write"):
        go(squares(calls), tmp_path / "file")
    assert calls == []


def test_damaged_results_are_told(tmp_path):
    for content in ("{", "[]", '{"name": 1}', "\x00"):
        (tmp_path / "squares.json").write_text(content)
        with pytest.raises(CourseError, match="damaged"):
            load("squares", tmp_path)


def test_a_row_that_is_not_there_is_told(tmp_path):
    made = go(squares([]), tmp_path)
    with pytest.raises(CourseError, match=r"no row has \{'n': 7\}"):
        made.where(n=7)
    with pytest.raises(CourseError, match=r"3 rows have \{'seed': 0\}; want one"):
        made.one(seed=0)


def test_an_unknown_study_or_preset_is_told():
    with pytest.raises(CourseError, match="unknown study 'sqares'"):
        studies.get("sqares")
    with pytest.raises(CourseError, match="unknown preset 'papr'"):
        studies.get("solvers", "papr")
    with pytest.raises(CourseError, match="study 'ddim': has no preset 'paper'; those that have: solvers"):
        studies.get("ddim", "paper")


def test_each_training_seed_has_noise_of_its_own():
    rows = for_seeds([{"n": 1}, {"n": 2}])
    assert [(row["training seed"], row["seed"], row["n"]) for row in rows] == [
        (seed, seed, n) for seed in (0, 1, 2) for n in (1, 2)
    ]


@pytest.mark.parametrize("name", studies.names())
def test_settings_are_distinct_and_of_one_form(name):
    settings = studies.get(name).settings
    assert len({json.dumps(s, sort_keys=True) for s in settings}) == len(settings)
    assert len({tuple(sorted(s)) for s in settings}) == 1
    assert {"training seed", "seed"} <= settings[0].keys()
    assert json.loads(json.dumps(settings)) == settings


@pytest.mark.parametrize("name", sorted(path.stem for path in studies.RESULTS.glob("*.json")))
def test_shipped_results_are_those_of_their_study(name):
    """The file's rows are the settings of the study as it stands: no row left from an earlier version, and none missing without a word."""
    result, study = studies.load(name), studies.get(name)
    if not result.version:
        pytest.skip("measured before there were training seeds; to be measured again")
    known = json.loads(json.dumps(study.settings))
    held = [{k: row[k] for k in known[0]} for row in result.rows]
    assert held == [setting for setting in known if setting in held]
    assert bool(result.missing) == (len(held) < len(known))
    assert all(set(row) > set(study.settings[0]) for row in result.rows)
    assert result.command == f"diffusion-course study {name}"


def test_the_file_does_not_say_where_the_runs_lay(tmp_path):
    def measure(setting, lab):
        if setting["n"] == 1:
            return {"square": 1}
        lab.snapshot("mnist-edm", 1)

    told, runs = [], tmp_path / "elsewhere"
    made = run_study("squares", Study("", SETTINGS, measure), tmp_path, Lab(runs=runs), say=told.append)
    assert str(runs / "mnist-edm-epochs-seed-0") in told[0]
    assert made.missing[0].startswith("runs/mnist-edm-epochs-seed-0 has no whole set")
    assert str(tmp_path) not in (tmp_path / "squares.json").read_text()


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_shipped_results_name_no_folder_of_a_machine(path):
    missing = json.loads(path.read_text(encoding="utf-8"))["missing"]
    assert not [line for line in missing if re.search(r"(^|\s)(/|[A-Z]:)", line)]
