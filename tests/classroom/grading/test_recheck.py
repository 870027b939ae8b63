"""The second look believes numbers alone: whatever else a run leaves behind is refused, and a wrong number is a fault."""

import json

import pytest
import torch
from safetensors.torch import save_file

from diffusion_course.classroom.checks import CHECKS
from diffusion_course.classroom.checks.engine import cases
from diffusion_course.classroom.grading import recheck
from diffusion_course.classroom.grading.recheck import Task, Verdict
from diffusion_course.classroom.grading.sandbox import Isolation, Limits

SEEDS = ["a", "b"]
SNR = CHECKS["01-snr"]
POSTERIOR = CHECKS["02-posterior_mean_variance"]
GARBAGE = "wrote something else than its results"


def leave(path, check, answer, **changes):
    """Write what an answer returned on the cases, as `alone` does."""
    told, tensors = [], {}
    for number, args in enumerate(case for seed in SEEDS for case in cases(check, seed)):
        value = answer(*args)
        parts = value if isinstance(value, tuple) else (value,)
        tensors |= {f"{number}.{i}": part.contiguous() for i, part in enumerate(parts)}
        told.append({"several": isinstance(value, tuple), "outputs": len(parts), "library": False} | changes)
    save_file(tensors, path / f"{check.id}.safetensors", {"cases": json.dumps(told)})


def verdict(check, path, printed=""):
    return recheck._verdict(Task(check.id, [], "", SEEDS), path, printed)


@pytest.mark.parametrize("check", [SNR, POSTERIOR], ids=["one output", "two outputs"])
def test_right_numbers_are_right(check, tmp_path):
    leave(tmp_path, check, check.reference)
    assert verdict(check, tmp_path) == Verdict("", False)


def test_a_wrong_number_is_a_fault(tmp_path):
    leave(tmp_path, SNR, lambda a: SNR.reference(a) + 1)
    assert "want" in verdict(SNR, tmp_path).fault


def test_a_wrong_number_of_outputs_is_a_fault(tmp_path):
    leave(tmp_path, POSTERIOR, lambda *args: POSTERIOR.reference(*args)[0])
    assert "want a tuple" in verdict(POSTERIOR, tmp_path).fault


def test_a_call_of_the_library_is_told(tmp_path):
    leave(tmp_path, SNR, SNR.reference, library=True)
    assert verdict(SNR, tmp_path) == Verdict("", True)


def test_what_is_no_tensor_is_a_fault(tmp_path):
    leave(tmp_path, SNR, SNR.reference, outputs=-1)
    assert verdict(SNR, tmp_path).fault.startswith("snr is None")


@pytest.mark.parametrize(
    "content",
    [b"", b"garbage", b"\xff" * 64, (2**62).to_bytes(8, "little") + b"{}", b"PK\x03\x04" + bytes(50)],
)
def test_another_file_is_refused(content, tmp_path):
    (tmp_path / "01-snr.safetensors").write_bytes(content)
    assert verdict(SNR, tmp_path).fault == GARBAGE


@pytest.mark.parametrize(
    "told", [None, {}, {"cases": "["}, {"cases": "[]"}, {"cases": "[1]"}, {"cases": '[{"outputs": 1e9}]'}]
)
def test_other_words_are_refused(told, tmp_path):
    save_file({"0.0": torch.zeros(1)}, tmp_path / "01-snr.safetensors", told)
    assert verdict(SNR, tmp_path).fault == GARBAGE


def test_a_link_and_a_folder_are_refused_and_not_followed(tmp_path):
    leave(tmp_path, SNR, SNR.reference)
    (tmp_path / "01-snr.safetensors").rename(tmp_path / "right")
    (tmp_path / "01-snr.safetensors").symlink_to(tmp_path / "right")
    assert verdict(SNR, tmp_path).fault == GARBAGE
    (tmp_path / "01-snr.safetensors").unlink()
    (tmp_path / "01-snr.safetensors").mkdir()
    assert verdict(SNR, tmp_path).fault == GARBAGE


def test_a_huge_file_is_not_read(tmp_path):
    with open(tmp_path / "01-snr.safetensors", "wb") as file:
        file.truncate(recheck.LARGEST + 1)
    assert verdict(SNR, tmp_path).fault == GARBAGE


def test_nothing_tells_the_last_line_that_was_printed(tmp_path):
    assert verdict(SNR, tmp_path, "Traceback\nNameError: x\n").fault == "does not run by itself: NameError: x"


def test_answers_are_kept_apart():
    """Three answers in one look: one ends its process, one changes what it can reach, and the third is right all the same."""
    changes = (
        "import sys, torch\ntorch.cumprod = None\nsys.modules['diffusion_course.classroom.checks'].CHECKS.clear()\n"
        "def snr(a):\n    return a / (1 - a)"
    )
    right = "def alpha_bar_from_betas(b):\n    return torch.cumprod(1 - b, dim=0)"
    ends = "import os\ndef diffuse(*a):\n    os._exit(0)"
    tasks = [
        Task("01-diffuse", [], ends, SEEDS),
        Task("01-snr", [], changes, SEEDS),
        Task("01-alpha_bar_from_betas", ["import torch"], right, SEEDS),
    ]
    found = recheck.look(tasks, Limits(cell=20), Isolation("limits"))
    assert found["01-diffuse"].fault.startswith("does not run by itself")
    assert found["01-snr"] == found["01-alpha_bar_from_betas"] == Verdict("", False)


def test_nothing_to_look_at_starts_nothing():
    assert recheck.look([], Limits(), Isolation("bubblewrap")) == {}
