"""The notebook that is run: the student edition's own cells, and of the submission the answers alone.

Each written exercise becomes four cells: the answer, the public check, the same check on this student's seed, and canaries, functions
that are known to be wrong. A checker that accepts one of them has been tampered with.
"""

import ast
import hmac
import re
import symtable
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import nbformat
from nbformat import NotebookNode

from .. import handout
from ..checks import CHECKS

# nbval obeys these lines in a cell; in an answer they would switch its checks off.
MARKER = re.compile(r"^\s*#+\s*(NBVAL_\w+|PYTEST_VALIDATE_IGNORE_OUTPUT)\s*$")
CANARIES = """\
from diffusion_course.classroom.checks import CHECKS as _CHECKS, CheckFailed as _CheckFailed
_refused = 0
for _wrong in _CHECKS["{exercise}"].mutants:
    try:
        check("{exercise}", _wrong.function, seed="{seed}")
    except _CheckFailed:
        _refused += 1
print("refused", _refused)"""


@dataclass(frozen=True)
class Cell:
    """A code cell of the notebook that is run. part: "prelude", "answer", "public", "hidden" or "canary"."""

    exercise: str
    part: str
    source: str
    expected: str = ""  # standard output that nbval compares


def secret_seed(secret: str, student: str, exercise: str) -> str:
    """The seed of one student's hidden checks: the same in every run, and not to be guessed without `secret`."""
    return hmac.new(secret.encode(), f"{student}\n{exercise}".encode(), "sha256").hexdigest()[:16]


def assemble(pristine: NotebookNode, answers: dict[str, str], student: str, secret: str) -> list[Cell]:
    """The cells to run, in order. answers: exercise id -> source; what is not among them is left out."""
    given = {e: clean(answers[e]) for e in handout.exercises(pristine) if e in answers}
    lead = "\n".join(prelude(pristine, {"check"} | named(given.values())))
    cells = [Cell("", "prelude", lead)]
    for exercise, answer in given.items():
        check, function = CHECKS[exercise], exercise[3:]
        line = f"{exercise}: correct, {'1 point' if check.points == 1 else f'{check.points} points'}\n"
        seed = secret_seed(secret, student, exercise)
        # All of them: a change to one part of the checker lets some pass, and which ones depends on the change.
        canaries = CANARIES.format(exercise=exercise, seed=seed)
        cells += [
            Cell(exercise, "answer", answer),
            Cell(exercise, "public", f'check("{exercise}", {function})', line),
            Cell(exercise, "hidden", f'check("{exercise}", {function}, seed="{seed}")', line),
            Cell(exercise, "canary", canaries, f"refused {len(check.mutants)}\n"),
        ]
    return cells


def notebook(cells: list[Cell]) -> NotebookNode:
    """The cells as a notebook for nbval: what has an expected output is compared with it, the rest only run."""
    made = []
    for number, cell in enumerate(cells):
        compared = cell.expected != ""
        outputs = [nbformat.v4.new_output("stream", name="stdout", text=cell.expected)] if compared else []
        source = f"# NBVAL_CHECK_OUTPUT\n{cell.source}" if compared else cell.source
        made.append(
            nbformat.v4.new_code_cell(source, id=f"cell-{number}", execution_count=1, outputs=outputs)
        )
    return nbformat.v4.new_notebook(cells=made)


def clean(answer: str) -> str:
    """An answer without the lines that nbval would obey."""
    return "\n".join(line for line in answer.split("\n") if not MARKER.match(line))


def prelude(pristine: NotebookNode, used: Collection[str]) -> list[str]:
    """What of the chapter's own cells defines the names in `used`, and what those lines use in turn: imports, functions, values.

    The rest of a chapter, its figures and trainings, is not run: it does not change what a function returns.
    """
    own = handout.exercises(pristine)
    cells = [_plain(c) for c in pristine.cells if c.cell_type == "code" and _may_lead(c, own)]
    statements = [part for source in cells for part in _statements(source)]
    uses, kept = set(used), set[int]()
    while True:
        found = {i for i, part in enumerate(statements) if _names(part)[0] & uses}
        if found == kept:
            return [statements[i] for i in sorted(kept)]
        kept = found
        uses |= named(statements[i] for i in kept)


def named(sources: Iterable[str]) -> set[str]:
    """The global names that some cells read and do not define themselves."""
    return {name for defined, read in map(_names, sources) for name in read - defined}


def _may_lead(cell: NotebookNode, own: Collection[str]) -> bool:
    tags = cell.metadata.get("tags", [])
    exercise = cell.metadata.get("course", {}).get("id") in own
    return not exercise and "check" not in tags and "NBVAL_" not in cell.source.split("\n")[0]


def _plain(cell: NotebookNode) -> str:
    """A cell's source; of the setup cell, which may install the course, the part that is left where it is installed."""
    setup = "setup" in cell.metadata.get("tags", [])
    return cell.source[cell.source.index("from diffusion_course") :] if setup else cell.source


def _statements(source: str) -> Iterator[str]:
    """The statements of a cell one by one, and of an import each name for itself."""
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            for alias in statement.names:
                statement.names = [alias]
                yield ast.unparse(statement)
        else:
            yield ast.get_source_segment(source, statement) or ""


def _names(source: str) -> tuple[set[str], set[str]]:
    """The names a cell defines at its top level, and the global names it reads. Nothing where it is not Python."""
    try:
        top = symtable.symtable(source, "cell", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set(), set()
    defined = {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported()}
    read = {s.get_name() for s in top.get_symbols() if s.is_referenced()}
    scopes = list(top.get_children())
    while scopes:
        scope = scopes.pop()
        read |= {s.get_name() for s in scope.get_symbols() if s.is_global() and s.is_referenced()}
        scopes += scope.get_children()
    return defined, read
