"""Compares finished runs: statistics over seeds beside what each group costs.

import zoo.comparison
comparison = zoo.comparison.compare([Path("runs/multirun/2026-11-20_12-00-00")])
for group in comparison.rankings[0].groups:
    print(group.label, group.score.mean, group.score.low, group.score.high)
"""

from zoo.comparison.find import folders, words
from zoo.comparison.groups import compare
from zoo.comparison.report import report
from zoo.comparison.result import Comparison, Group, LeftOut, Ranking, Run
from zoo.comparison.statistics import Estimate, estimate, paired

__all__ = [
    "Comparison",
    "Estimate",
    "Group",
    "LeftOut",
    "Ranking",
    "Run",
    "compare",
    "estimate",
    "folders",
    "paired",
    "report",
    "words",
]
