"""A notebook with exercises that are not written: it goes on, says so, gives no points, and an older function is told from the edited one."""

import pytest

from diffusion_course.classroom import checks
from diffusion_course.classroom.checks import CHECKS, NotDone, examine, unwritten
from diffusion_course.classroom.checks.unwritten import TOLD_BY_ERRORS
from diffusion_course.classroom.grading import verdict

STUB = "def snr(alpha_bar):\n    raise NotImplementedError"
RIGHT = "def snr(alpha_bar):\n    return alpha_bar / (1 - alpha_bar)"
WRONG = "def snr(alpha_bar):\n    half = 2\n    return alpha_bar.missing"
CHECK = 'check("01-snr", snr)'


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs cells in an IPython and returns what they printed. `run.names` are its names."""
    interactive = pytest.importorskip("IPython").core.interactiveshell.InteractiveShell
    monkeypatch.setattr(checks, "_found", {})
    monkeypatch.setattr(checks.stale, "_refused", {})
    monkeypatch.setattr(unwritten, "TOLD_BY_ERRORS", set())  # a person's kernel, although pytest runs
    shell = interactive.instance()

    def cells(*sources):
        for source in sources:
            shell.run_cell(source, store_history=True)
        return capsys.readouterr().out

    cells.names = shell.user_ns
    cells("from diffusion_course.classroom import check, check_all")
    yield cells
    interactive.clear_instance()


def test_a_stub_is_told_calmly_and_the_chapter_goes_on(run):
    out = run(STUB, CHECK)
    assert out.startswith(
        "To do: 01-snr (0 of 2 points so far)\nsnr is not written yet. From here on the chapter"
    )
    assert "Error" not in out
    assert run("import torch; print(snr(torch.tensor([0.75])).tolist())") == "[3.0]\n"
    assert run.names["snr"].__name__ == "snr"


def test_the_courses_function_earns_nothing(run):
    run(STUB, CHECK)
    for name, value in (("once more", run(CHECK)), ("all", run("check_all()"))):
        assert "correct" not in value, name
    assert "01-snr 0 of 2 not written yet" in " ".join(run("check_all()").split())
    with pytest.raises(NotDone):
        examine(CHECKS["01-snr"], run.names["snr"])
    assert verdict.judge("01-snr", run.names, "7")["state"] == "not done"


def test_what_is_written_later_counts(run):
    assert "01-snr: correct, 2 points" in run(STUB, CHECK, RIGHT, CHECK)


def test_the_defaults_of_the_stub_hold_for_what_takes_its_place(run):
    run(
        "def karras_sigmas(n, sigma_min=0.5, sigma_max=2.0, rho=7.0):\n    raise NotImplementedError",
        'check("09-karras_sigmas", karras_sigmas)',
    )
    grid = run.names["karras_sigmas"](3)
    assert grid[0].item() == pytest.approx(2.0)
    assert run.names["karras_sigmas"](3, sigma_max=3.0)[0].item() == pytest.approx(3.0)


def test_only_the_stub_itself_is_replaced(run):
    out = run(RIGHT, STUB.replace("snr", "other"), 'check("01-snr", other)')
    assert "To do" in out
    assert "From here on" not in out
    assert run.names["snr"].__code__.co_varnames == ("alpha_bar",)


@pytest.mark.parametrize("name", sorted(TOLD_BY_ERRORS))
def test_a_program_which_takes_silence_for_right_gets_an_error(run, monkeypatch, name):
    monkeypatch.setattr(unwritten, "TOLD_BY_ERRORS", {name})
    monkeypatch.setenv(name, "autograde")
    assert "NotDone: 01-snr is not written yet" in run(STUB, CHECK)


def test_a_wrong_answer_shows_the_hint_and_the_students_line_without_our_traceback(run):
    out = run(WRONG, CHECK)
    assert "CheckFailed: 01-snr: your function stopped with AttributeError" in out
    assert "in line 3: `return alpha_bar.missing`" in out
    assert "Traceback" not in out
    assert "engine.py" not in out


def test_a_function_that_was_refused_before_is_told_as_the_same(run):
    assert "Edited?" not in run(WRONG, CHECK)
    assert "This is the snr of the last check. Edited? Run its cell first." in run(CHECK)
    assert "Edited?" not in run(WRONG, CHECK)


@pytest.mark.parametrize("before", [STUB, WRONG])
def test_a_cell_that_could_not_be_read_is_told(run, before):
    out = run(before, RIGHT + ")", CHECK)
    assert "The cell of snr was run last with a SyntaxError in its line 2, so it changed nothing." in out
    assert "SyntaxError" not in run(before, CHECK)


def test_a_repair_that_is_still_wrong_is_told_what_is_seen_and_strands_nobody(run):
    source = (
        "def snapshots(x0, betas, noise, times):\n    import torch\n    kept, x = [], x0\n"
        "    for t, z in enumerate(noise, 1):\n        x = (1 - betas[t - 1]).sqrt() * x + betas[t - 1]{} * z\n"
        "        kept += [x] if t in times else []\n    return torch.stack(kept)"
    )
    ask = 'check("01-snapshots", snapshots)'
    out = run(source.format(""), ask)
    assert out.startswith("To do: 01-snapshots (0 of 3 points so far)\n01-snapshots: x_1[")
    assert "This looks like too little noise" in out
    assert "Error" not in out
    assert "snapshots is not mended yet" in run(ask)  # the course's own stands in its place
    assert "0 of 3" in " ".join(run("check_all()").split())
    assert "01-snapshots: correct, 3 points" in run(source.format(".sqrt()"), ask)
