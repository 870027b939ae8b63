"""A reader of pickles that runs nothing: it follows the file's instructions over plain data, and calls by a table of its own.

A pickle is a program for a small stack machine. Python's `pickle.Unpickler` with a strict `find_class` still calls what it
admitted, sets attributes of it (BUILD, on a function or class as well), and asks `copyreg` for extension codes before
`find_class` hears of them. Here a name in the file is only ever a `Symbol`: text. No module is imported, no attribute is
looked up or set, and what a call means is a function of `calls`, which takes data and returns data.
"""

import pickletools
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from ...errors import CourseError, printable, shown

Calls = Mapping[str, Callable[..., Any] | None]
"""What names a file may hold, "module.name", and what to do where it calls them. None: it may be named, not called."""

ATOMS = (str, bytes, int, float, type(None))  # what can be a key: hashing nested tuples could end the process
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
EMPTY: dict[str, type] = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": set, "EMPTY_TUPLE": tuple}
INTEGERS = {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"}
LITERALS = {
    *INTEGERS,
    *("FLOAT", "BINFLOAT", "STRING", "BINSTRING", "SHORT_BINSTRING"),
    *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}


class Refused(CourseError):
    """The file asks for something that is not data. The message says what, as in "it tries to call os.system"."""


@dataclass(frozen=True)
class Symbol:
    """A name in the file, "module.name"."""

    name: str


class Built:
    """What a file may give a state after it was made; `build` checks it."""

    def build(self, state: Any) -> None:
        raise NotImplementedError


def read(file: BinaryIO, calls: Calls, persistent: Callable[[Any], Any] | None = None) -> Any:
    """The value of the pickle that begins where the file stands, and ends before what follows it.

    persistent: what a persistent id stands for. Raises Refused; for a damaged file whatever comes up, say ValueError.
    """
    machine = Machine(calls, persistent)
    for opcode, argument, _ in pickletools.genops(file):  # it stops after STOP, and reads no further
        machine.step(opcode.name, argument)
    return machine.stack.pop()


class Machine:
    """Stack, marks and memo, as in the comments of Python's `pickletools`."""

    def __init__(self, calls: Calls, persistent: Callable[[Any], Any] | None):
        self.calls, self.persistent = calls, persistent
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # the stacks under each mark
        self.memo: dict[int, Any] = {}  # a dict: a list would let the file choose its length

    def step(self, op: str, argument: Any) -> None:
        """One instruction."""
        push = self.push
        if op in LITERALS:
            if op in INTEGERS and argument.bit_length() > 128:
                raise ValueError(
                    "an integer of many digits"
                )  # as a key it would cost its length at each look-up
            push(argument)
        elif op in CONSTANTS:
            push(CONSTANTS[op])
        elif op in EMPTY:
            push(EMPTY[op]())
        elif op in ("PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[int(argument)] = self.stack[-1]
        elif op == "MEMOIZE":
            self.memo[len(self.memo)] = self.stack[-1]
        elif op in ("GET", "BINGET", "LONG_BINGET"):
            push(self.memo[int(argument)])
        elif op in ("GLOBAL", "STACK_GLOBAL"):
            push(self.symbol(*(argument.split(" ", 1) if op == "GLOBAL" else self.last(2))))
        elif op in ("REDUCE", "NEWOBJ"):
            push(self.call(*self.last(2)))
        elif op == "NEWOBJ_EX":
            push(self.call(*self.last(3)))
        elif op == "INST":
            push(self.call(self.symbol(*argument.split(" ", 1)), tuple(self.marked())))
        elif op == "OBJ":
            function, *arguments = self.marked()
            push(self.call(function, tuple(arguments)))
        elif op == "BUILD":
            state = self.stack.pop()
            self.build(self.stack[-1], state)
        elif op in ("PERSID", "BINPERSID") and self.persistent is not None:
            push(self.persistent(self.stack.pop() if op == "BINPERSID" else argument))
        elif op in ("PROTO", "FRAME", "STOP"):
            pass
        elif not self.gather(op):
            of = "" if argument is None else f" {shown(argument)}"
            raise Refused(f"it uses the pickle instruction {op}{of}, which no such file needs")

    def gather(self, op: str) -> bool:
        """The instructions that make containers and keep order on the stack; False for another."""
        if op == "MARK":
            self.below.append(self.stack)
            self.stack = []
        elif op == "POP_MARK" or (op == "POP" and not self.stack):
            self.marked()
        elif op == "POP":
            self.stack.pop()
        elif op == "DUP":
            self.push(self.stack[-1])
        elif op in ("TUPLE1", "TUPLE2", "TUPLE3"):
            self.push(tuple(self.last(int(op[-1]))))
        elif op in FROM_ITEMS:
            self.push(FROM_ITEMS[op](self.marked()))
        elif op in ("APPEND", "APPENDS"):
            items = self.marked() if op == "APPENDS" else self.last(1)
            self.top(list).extend(items)
        elif op in ("SETITEM", "SETITEMS"):
            items = self.marked() if op == "SETITEMS" else self.last(2)
            self.top(dict).update(mapping(items))
        elif op == "ADDITEMS":
            items = self.marked()
            self.top(set).update(atoms(items))
        else:
            return False
        return True

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def last(self, n: int) -> list[Any]:
        """The last n values, taken off."""
        return [self.stack.pop() for _ in range(n)][::-1]

    def marked(self) -> list[Any]:
        """All values since the last mark, taken off together with it."""
        items, self.stack = self.stack, self.below.pop()
        return items

    def top(self, kind: type) -> Any:
        if type(self.stack[-1]) is not kind:
            raise ValueError(f"items for a {type(self.stack[-1]).__name__}")
        return self.stack[-1]

    def symbol(self, module: Any, name: Any) -> Symbol:
        if type(module) is not str or type(name) is not str:
            raise Refused("it tries to call something whose name is not text")
        # Protocols 0 to 2 name things as Python 2 did; these tables are those of Python's own unpickler.
        module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
        full = f"{module}.{name}"
        if full not in self.calls:
            raise Refused(f"it tries to call {printable(full[:200])}")
        return Symbol(full)

    def call(self, function: Any, arguments: Any, named: Any = None) -> Any:
        """What the table says the call of a symbol gives."""
        if not isinstance(function, Symbol):
            raise Refused(f"it tries to call a {type(function).__name__}")
        meaning = self.calls[function.name]
        if meaning is None or named or type(arguments) is not tuple:
            raise Refused(f"it tries to call {function.name} in a way that makes no data")
        return meaning(*arguments)

    def build(self, target: Any, state: Any) -> None:
        if isinstance(target, Built):
            target.build(state)
        elif type(target) is not dict or state:  # a subclass of dict comes with an empty state
            of = target.name if isinstance(target, Symbol) else f"a {type(target).__name__}"
            raise Refused(f"it tries to set the state of {of}")


def mapping(items: list[Any]) -> dict[Any, Any]:
    """Keys and values in turn, as a dict."""
    return dict(zip(_keys(items[::2]), items[1::2], strict=True))


def atoms(items: list[Any]) -> set[Any]:
    """As a set."""
    return set(_keys(items))


def _keys(items: list[Any]) -> list[Any]:
    if not all(isinstance(item, ATOMS) for item in items):
        raise ValueError("a key that is no text or number")
    return items


FROM_ITEMS: dict[str, Any] = {"TUPLE": tuple, "LIST": list, "DICT": mapping, "FROZENSET": atoms}
