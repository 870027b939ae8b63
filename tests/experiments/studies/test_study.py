"""A study is measured row by row, resumes, and says where its numbers are from."""

import json

import pytest
import torch

from diffusion_course import CourseError
from diffusion_course.experiments import resume, studies
from diffusion_course.experiments.studies.study import Study, load, run_study

SETTINGS = [{"n": n, "seed": 0} for n in (1, 2, 3)]


def squares(calls, stop_at=None):
    def measure(setting, device):
        assert device == torch.device("cpu")
        if setting["n"] == stop_at:
            raise KeyboardInterrupt
        calls.append(setting["n"])
        return {"square": setting["n"] ** 2}

    return Study("Squares of small numbers", SETTINGS, measure)


def test_a_study_is_written_with_its_provenance_and_read_back(tmp_path):
    made = run_study("squares", squares([]), tmp_path, "cpu")
    assert load("squares", tmp_path) == made
    assert [row["square"] for row in made.rows] == [1, 4, 9]
    assert made.command == "diffusion-course study squares"
    assert made.device.endswith("CPU threads, x86_64") or "CPU" in made.device
    assert made.where(seed=0) == made.rows
    assert made.one(n=2)["square"] == 4
    assert [path.name for path in tmp_path.iterdir()] == ["squares.json"]


def test_an_interrupted_study_goes_on_where_it_stopped(tmp_path):
    calls = []
    with pytest.raises(KeyboardInterrupt):
        run_study("squares", squares(calls, stop_at=3), tmp_path, "cpu")
    assert calls == [1, 2]
    with pytest.raises(CourseError, match="none yet; run `diffusion-course study squares`"):
        load("squares", tmp_path)
    run_study("squares", squares(calls), tmp_path, "cpu")
    assert calls == [1, 2, 3]
    assert len(load("squares", tmp_path).rows) == 3


def test_rows_of_another_study_are_not_mixed_in(tmp_path, monkeypatch):
    """Settings, code, weights, torch: what differs is named, before anything is measured."""
    with pytest.raises(KeyboardInterrupt):
        run_study("squares", squares([], stop_at=3), tmp_path, "cpu")
    kept = (tmp_path / "squares.part.json").read_text()

    def refusal(settings=SETTINGS):
        calls = []
        with pytest.raises(CourseError) as caught:
            run_study("squares", Study("", settings, squares(calls).measure), tmp_path, "cpu")
        assert calls == []
        assert (tmp_path / "squares.part.json").read_text() == kept
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


def test_rows_that_do_not_belong_to_their_settings_are_damage(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run_study("squares", squares([], stop_at=3), tmp_path, "cpu")
    path = tmp_path / "squares.part.json"
    whole = json.loads(path.read_text())
    for rows in ([{}], [3], {}, None, whole["rows"][::-1], whole["rows"] * 2):
        path.write_text(json.dumps(whole | {"rows": rows}))
        if rows == {}:
            continue
        with pytest.raises(CourseError, match="damaged; delete it to start afresh"):
            run_study("squares", squares([]), tmp_path, "cpu")


def test_device_and_folder_are_looked_at_before_the_first_row(tmp_path):
    (tmp_path / "file").touch()
    for out, device, told in (
        (tmp_path, "gpu", "unknown device"),
        (tmp_path / "file", "cpu", "cannot write"),
    ):
        calls = []
        with pytest.raises(CourseError, match=told):
            run_study("squares", squares(calls), out, device)
        assert calls == []


def test_damaged_results_are_told(tmp_path):
    (tmp_path / "squares.json").write_text("{")
    with pytest.raises(CourseError, match="damaged"):
        load("squares", tmp_path)
    (tmp_path / "squares.part.json").write_text("[]")
    with pytest.raises(CourseError, match="delete it to start afresh"):
        run_study("squares", squares([]), tmp_path, "cpu")


def test_a_row_that_is_not_there_is_told(tmp_path):
    made = run_study("squares", squares([]), tmp_path, "cpu")
    with pytest.raises(CourseError, match=r"no row has \{'n': 7\}"):
        made.where(n=7)
    with pytest.raises(CourseError, match=r"3 rows have \{'seed': 0\}; want one"):
        made.one(seed=0)


def test_an_unknown_study_is_told():
    with pytest.raises(CourseError, match="unknown study 'sqares'"):
        studies.get("sqares")


@pytest.mark.parametrize("name", sorted(path.stem for path in studies.RESULTS.glob("*.json")))
def test_shipped_results_are_those_of_their_study(name):
    """The file's rows are the settings of the study as it stands: no row left from an earlier version, none missing."""
    result, study = studies.load(name), studies.get(name)
    assert [{k: row[k] for k in study.settings[0]} for row in result.rows] == json.loads(
        json.dumps(study.settings)
    )
    assert all(set(row) > set(study.settings[0]) for row in result.rows)
    assert result.command == f"diffusion-course study {name}"
