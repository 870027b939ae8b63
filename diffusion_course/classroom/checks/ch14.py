"""Checks of chapter 14: what an interval says of a claim, a table of paired comparisons, and the cheapest plan. The study is marked by a person."""

from .ch14_plan import CHEAPEST_PLAN
from .ch14_table import PAIRED_TABLE
from .ch14_verdict import VERDICT

CHECKS = [VERDICT, PAIRED_TABLE, CHEAPEST_PLAN]
