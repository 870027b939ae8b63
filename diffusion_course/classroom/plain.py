"""YAML that a person wrote: read as text with its places, so that a mistake is told with its line and the nearest name.

Scalars stay as they were typed: a student called `no`, and a chapter `08`, are not what YAML would make of them.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from ..errors import CourseError, nearest, printable, shown


@dataclass(frozen=True)
class Node:
    """A value of a file. source: what names the file in a message, "marks: grades/marks.yaml"."""

    source: str
    node: yaml.Node

    @property
    def line(self) -> int:
        return _line(self.node.start_mark)

    def error(self, words: str) -> CourseError:
        """The mistake at this place, in one line."""
        return CourseError(f"{self.source}, line {self.line}: {printable(words)}")

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.node, yaml.MappingNode)

    @cached_property
    def value(self) -> Any:
        """A scalar as YAML takes it; None where it is none, or YAML cannot make one of it."""
        if not isinstance(self.node, yaml.ScalarNode):
            return None
        try:
            return yaml.SafeLoader("").construct_object(self.node)
        except (yaml.YAMLError, ValueError):
            return None

    def mapping(self, want: str) -> "dict[str, Node]":
        """Key -> value. want: what such lines are, for the message. Raises CourseError, also where a key is there twice."""
        if not isinstance(self.node, yaml.MappingNode):
            raise self.error(f"want {want}, got {self._shown}")
        found: dict[str, Node] = {}
        for key, value in self.node.value:
            name = Node(self.source, key).text(want)
            if name in found:
                raise Node(self.source, key).error(
                    f"{name} is there twice, before in line {found[name].line}"
                )
            found[name] = Node(self.source, value)
        return found

    def record(self, keys: Collection[str], want: str) -> "dict[str, Node]":
        """A mapping in which only these keys may stand."""
        found = self.mapping(want)
        for name, value in found.items():
            value.known("key", keys, name)
        return found

    def entries(self, want: str) -> "list[Node]":
        """The entries of a list."""
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.error(f"want {want}, got {self._shown}")
        return [Node(self.source, one) for one in self.node.value]

    def text(self, want: str) -> str:
        """A text that is not empty."""
        if not isinstance(self.node, yaml.ScalarNode) or not self.node.value.strip():
            raise self.error(f"want {want}, got {self._shown}")
        return str(self.node.value).strip()

    def whole(self, what: str, low: int, high: int) -> int:
        """A whole number in low..high."""
        if type(self.value) is not int or not low <= self.value <= high:
            raise self.error(f"{what}: want a whole number in {low}..{high}, got {self._shown}")
        return int(self.value)

    def known(self, kind: str, names: Iterable[str], name: str | None = None) -> str:
        """One of these names. name: where it is not this text itself."""
        every = list(names)
        said = self.text(f"a {kind}") if name is None else name
        if said not in every:
            raise self.error(f"unknown {kind} {shown(said)}{nearest(said, every)}")
        return said

    @property
    def _shown(self) -> str:
        if isinstance(self.node, yaml.ScalarNode):
            return shown(self.node.value) if self.node.value else "nothing"
        return "lines 'key: value'" if isinstance(self.node, yaml.MappingNode) else "a list"


def read(option: str, path: Path) -> Node | None:
    """The whole of a file; None where it holds nothing. option: what names it, "--points". Raises CourseError for what cannot be read."""
    source = f"{option}: {path}"
    try:
        text = path.read_text(encoding="utf-8-sig")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        # A tag may stand for any object, and an anchor could make a text of a few lines as long as the memory.
        odd = next((e for e in yaml.parse(text) if _is_odd(e)), None)
    except OSError as error:
        raise CourseError(f"{option}: cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CourseError(f"{source} is not YAML: it is not UTF-8 text") from None
    except yaml.MarkedYAMLError as error:
        line = f", line {_line(error.problem_mark)}," if error.problem_mark else ""
        raise CourseError(f"{source}{line} is not YAML: {_words(error.problem or error)}") from None
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise CourseError(f"{source} is not YAML: {_words(error)}") from None
    if odd:
        raise CourseError(
            f"{source}, line {_line(odd.start_mark)}, is not YAML without tags and anchors: write it out"
        )
    return Node(source, node) if node else None


def _line(mark: Any) -> int:
    """Counted from 1. mark: where, as the parser has it."""
    return int(mark.line) + 1 if mark else 1


def _is_odd(event: yaml.Event) -> bool:
    return isinstance(event, yaml.AliasEvent) or bool(getattr(event, "tag", None))


def _words(error: object) -> str:
    return printable(" ".join(str(error).split()), " ")[:200]
