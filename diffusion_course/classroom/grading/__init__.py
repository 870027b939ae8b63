"""Grading: a folder of untrusted notebooks in, a gradebook and a feedback page for each student out.

Read in this order: submissions (what was handed in, whose it is; on intake, people, choosing), finding (what of it is the student's
own), assembly (the list of cells that runs), sandbox (where), nbval_run (nbval runs it, with a verdict on each exercise), recheck (it
runs once more, with the package of `without`),
marks (points and flags), batch (all of it, in parallel), gradebook and pages.
"""

import sys

# nbformat imports jsonschema, which asks for this checker of internationalised addresses. Its grammar takes 2
# s to compile, in every process anew, and a notebook has no such address. None: the import fails, and
# jsonschema goes on without it.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # the types know modules alone
