"""Planted attacks: whatever a file asks for, nothing of it is run, and the error says what it tried to call."""

import collections
import copyreg
import functools
import io
import os
import pickle
import re
import struct
import subprocess
import sys

import pytest
import torch
from experiments.released.nvidia import checkpoint, reduced
from nets.test_songunet import small

from diffusion_course import CourseError
from diffusion_course.experiments import zoo
from diffusion_course.experiments.released import pickles, records

TRIPPED = []


def trip(*_):
    TRIPPED.append(1)


class State:
    """Pickles as an object whose state is set by BUILD."""

    def __reduce__(self):
        return collections.OrderedDict, (), {"planted": 1}


class Setter:
    """The sixth entry of a reduce: a function that sets the state."""

    def __reduce__(self):
        return collections.OrderedDict, (), {"a": 1}, None, None, setattr


class Plain:
    """Pickles as NEWOBJ, or by `copyreg._reconstructor`."""


def short(text):
    return b"\x8c" + bytes([len(text)]) + text.encode()


def stack_global(module, name):
    return b"\x80\x04" + short(module) + short(name) + b"\x93"


OBJECTS = {  # what is pickled -> what the error names
    "os.system": (reduced(os.system, "true"), r"call posix\.system"),
    "eval": (reduced(eval, "trip()"), r"call builtins\.eval"),
    "exec": (reduced(exec, "trip()"), r"call builtins\.exec"),
    "getattr": (reduced(getattr, dict, "pop"), r"call builtins\.getattr"),
    "import": (reduced(__import__, "os"), r"call builtins\.__import__"),
    "partial": (reduced(functools.partial, trip), r"call functools\.partial"),
    "torch.load": (reduced(torch.load, "x"), r"call torch\.serialization\.load"),
    "Popen": (reduced(subprocess.Popen, ["true"]), r"call subprocess\.Popen"),
    "a name alone": (os.system, r"call posix\.system"),
    "an object": (Plain(), r"call [\w.]*test_pickles\.Plain"),
    "state": (State(), "set the state of a dict"),
    "a state's setter": (Setter(), r"call builtins\.setattr"),
    "a property of torch": (reduced(torch.hub.load, "x"), r"call torch\.hub\.load"),
}
BYTES = {
    "inst": (b"(S'true'\nios\nsystem\n.", r"call os\.system"),
    "obj": (b"(cos\nsystem\nS'true'\no.", r"call os\.system"),
    "global, protocol 0": (b"cos\nsystem\n(S'true'\ntR.", r"call os\.system"),
    "stack_global": (stack_global("os", "system") + short("true") + b"\x85R.", r"call os\.system"),
    "dotted": (
        stack_global("torch._utils", "_rebuild_parameter.__globals__") + b".",
        r"_rebuild_parameter\.__globals__",
    ),
    "a name that is no text": (b"\x80\x04K\x01K\x02\x93.", "whose name is not text"),
    "a name out of the memo": (
        b"\x80\x04"
        + short("os")
        + b"\x94"
        + short("system")
        + b"\x94"
        + b"h\x00h\x01\x93"
        + short("true")
        + b"\x85R.",
        r"call os\.system",
    ),
    "memo overwritten": (
        b"\x80\x02ccollections\nOrderedDict\nq\x000cos\nsystem\nq\x000h\x00U\x04true\x85R.",
        r"call os\.system",
    ),
    "a call of what a call gave": (b"\x80\x02ccollections\nOrderedDict\n)R)R.", "call a dict"),
    "a call of text": (b"\x80\x02U\x04eval)R.", "call a str"),
    "the state of a name": (
        b"\x80\x02ccollections\nOrderedDict\n}U\x01aK\x01sb.",
        r"state of collections\.OrderedDict",
    ),
    "the slots of a name": (
        b"\x80\x02ctorch._utils\n_rebuild_parameter\nN}U\x08__code__K\x01s\x86b.",
        r"state of torch\._utils\._rebuild_parameter",
    ),
    "the class of a storage, called": (
        b"\x80\x02ctorch\nFloatStorage\nK\x01\x85R.",
        r"call torch\.FloatStorage",
    ),
    "newobj": (b"\x80\x02csubprocess\nPopen\nU\x04true\x85\x81.", r"call subprocess\.Popen"),
    "newobj_ex": (
        stack_global("subprocess", "Popen") + b")}" + short("args") + b"K\x01s\x92.",
        r"call subprocess\.Popen",
    ),
    "named arguments": (
        stack_global("collections", "OrderedDict") + b")}" + short("a") + b"K\x01s\x92.",
        "in a way that",
    ),
    "ext1": (b"\x80\x02\x82\x01.", "EXT1 1"),
    "ext2": (b"\x80\x02\x83\x01\x01.", "EXT2 257"),
    "ext4": (b"\x80\x02\x84\x01\x00\x00\x00.", "EXT4 1"),
    "persid": (b"Pos.system\n.", "PERSID 'os.system'"),
    "binpersid": (b"\x80\x02K\x01Q.", "BINPERSID"),
    "next_buffer": (b"\x80\x05\x97.", "NEXT_BUFFER"),
    "a line break in a name": (stack_global("os", "sys\ntem\x1b[2J") + b".", r"call os\.sys.tem.\[2J"),
}
DAMAGED = {
    "a memo nobody wrote": b"\x80\x02h\x05.",
    "an empty stack": b"\x80\x020.",
    "no mark": b"\x80\x02t.",
    "items for text": b"\x80\x02U\x01a(K\x01e.",
    "a tuple as key": b"\x80\x02}" + b")" * 1 + b"\x85" * 100_000 + b"K\x01s.",
    "a blob of deep tuples": b"\x80\x02ctorch.storage\n_load_from_bytes\n" + b")" + b"\x85" * 100_000 + b"R.",
    "a tuple in a set": b"\x80\x04\x8f()" + b"\x85" * 100_000 + b"\x90.",
    "an integer of 8,000 bits": b"\x80\x02\x8b" + struct.pack("<i", 1000) + b"\x01" * 1000 + b".",
    "a length beyond the file": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60) + b"x.",
    "a memo beyond the memory": b"\x80\x02K\x01r\xff\xff\xff\x7fh\x00.",
    "bytes on order": b"\x80\x02c__builtin__\nbytes\n" + b"\x8a\x08" + b"\xff" * 7 + b"\x01\x85R.",
    "a codec": b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00rot13\x86R.",
    "a dtype of objects": b"\x80\x02cnumpy\ndtype\nU\x02O8K\x00K\x01\x87R.",
}


@pytest.fixture(autouse=True)
def nothing_runs():
    """No planted function was called, and no module that a file names was imported."""
    TRIPPED.clear()
    before = set(sys.modules)
    yield
    assert not TRIPPED
    assert not {"torch_utils", "dnnlib"} & (set(sys.modules) - before)


def refusal(path, content):
    path.write_bytes(content)
    with pytest.raises(CourseError, match=r"^weights ") as caught:
        zoo.load(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", OBJECTS)
@pytest.mark.parametrize("protocol", range(6))
def test_an_object_that_calls_is_refused_by_name(tmp_path, name, protocol):
    planted, message = OBJECTS[name]
    text = refusal(tmp_path / "evil.pkl", pickle.dumps({"ema": planted}, protocol))
    assert "nothing in it was run" in text
    assert re.search(message, text), text


@pytest.mark.parametrize("name", BYTES)
def test_instructions_that_call_are_refused_by_name(tmp_path, name):
    content, message = BYTES[name]
    text = refusal(tmp_path / "evil.pkl", content)
    assert re.search(message, text), text
    assert text.endswith("; nothing in it was run")


@pytest.mark.parametrize("name", DAMAGED)
def test_instructions_that_make_no_sense_are_damage(tmp_path, name):
    assert refusal(tmp_path / "evil.pkl", DAMAGED[name])


@pytest.mark.parametrize("where", ["dataset_kwargs", "beside", "state", "source"])
def test_an_attack_is_found_wherever_it_is_planted(tmp_path, where):
    def plant(function, root):
        bomb = reduced(os.system, "true")
        if where == "beside":
            return {**root, "more": bomb}
        if where == "dataset_kwargs":
            root["dataset_kwargs"]["path"] = bomb
        if where == "state":
            root["ema"].state["_modules"]["model"].state["_buffers"]["more"] = bomb
        if where == "source":
            root["loss_fn"].state["hook"] = [bomb]
        return root

    text = refusal(tmp_path / "evil.pkl", checkpoint(small(), sigma_data=0.5, wrap=plant))
    assert "refused, it tries to call posix.system" in text


def test_an_attack_inside_a_blob_is_found(tmp_path):
    """The bytes of a storage are pickles themselves; in them no function at all is known."""
    blob = pickle.dumps(reduced(os.system, "true"), 2)
    function = torch.storage._load_from_bytes
    text = refusal(tmp_path / "evil.pkl", pickle.dumps({"ema": reduced(function, blob)}))
    assert "refused, it tries to call posix.system" in text
    inner = pickle.dumps(reduced(function, blob), 2)
    text = refusal(tmp_path / "evil.pkl", pickle.dumps({"ema": reduced(function, inner)}))
    assert "refused, it tries to call torch.storage._load_from_bytes" in text


def test_extension_codes_are_refused_although_python_would_know_them(tmp_path):
    copyreg.add_extension(__name__, "trip", 0xF7)
    try:
        path = tmp_path / "evil.pkl"
        assert "EXT1 247" in refusal(path, pickle.dumps({"ema": reduced(trip)}, 2))
    finally:
        copyreg.remove_extension(__name__, "trip", 0xF7)


def test_reading_neither_imports_nor_runs(tmp_path):
    """Python's own audit: from the first byte to the last no import, compilation, process or other file."""
    content, seen, watching = checkpoint(small(label_dim=2), sigma_data=0.5), [], [True]

    def hook(event, arguments):
        if watching and event in (
            "import",
            "compile",
            "exec",
            "os.system",
            "subprocess.Popen",
            "open",
            "pickle.find_class",
        ):
            seen.append((event, arguments))

    table = records.calls()
    sys.addaudithook(hook)  # it cannot be taken off again, so it is told when to stop
    pickles.read(io.BytesIO(content), table)
    watching.clear()
    assert not seen


def test_containers_of_every_protocol_come_back():
    value = {
        "a": [1, -5, 2**40, 2**70, 1.5, True, None],
        "b": (1, (2,), (1, 2, 3, 4)),
        3: {"x"},
        "é": b"\xff\x00",
        "": {},
    }
    for protocol in range(6):
        assert pickles.read(io.BytesIO(pickle.dumps(value, protocol)), records.calls())["a"] == value["a"]
    assert pickles.read(io.BytesIO(pickle.dumps(value, 4)), {}) == value
    shared = [1]
    twice = pickles.read(io.BytesIO(pickle.dumps([shared, shared])), {})
    assert twice[0] is twice[1]
