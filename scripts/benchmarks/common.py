"""What all contests share: ways to do the same in turn, medians, claims, a table."""

import gc
import operator
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

Seconds: TypeAlias = list[float]
Way: TypeAlias = Callable[[], float]  # one repeat; gives the seconds of one step


class Plan(NamedTuple):
    """How to measure.

    Attributes:
        repeats: of each way; the median counts.
        now: the clock, in seconds.
        quick: tiny sizes, which show that everything runs and measure nothing.
    """

    repeats: int = 9
    now: Callable[[], float] = time.perf_counter
    quick: bool = False

    @property
    def by_cpu(self) -> bool:
        """Whether the clock stands while other programs run."""
        return self.now is not time.perf_counter

    def size(self, full: int, tiny: int) -> int:
        """A size, or the tiny one of it."""
        return tiny if self.quick else full


class Measure(NamedTuple):
    """What is made of two times in seconds, and on which side of its bound it has to be."""

    words: str
    of: Callable[[float, float], float]  # (ours, theirs)
    sign: str


LONGER = Measure("x as long", lambda ours, theirs: ours / theirs, "<=")
FASTER = Measure("x faster", lambda ours, theirs: theirs / ours, ">=")
EXTRA = Measure("us more", lambda ours, theirs: 1e6 * (ours - theirs), "<=")
ALONE = Measure("s", lambda ours, theirs: ours, "<=")
SIGNS: dict[str, Callable[[float, float], bool]] = {"<=": operator.le, ">=": operator.ge}


class Claim(NamedTuple):
    """What is said of two ways of a contest."""

    name: str
    ours: str
    theirs: str
    measure: Measure
    bound: float | None = None  # None: shown, not judged


class Contest(NamedTuple):
    """Ways to do the same, by name, and what is claimed of them."""

    ways: Mapping[str, Way]
    claims: list[Claim]


class Skipped(NamedTuple):
    """A contest that cannot be held here."""

    name: str
    why: str = "not installed"


class Part(NamedTuple):
    """The results of a subcommand: what was on, a row for each claim, what was left out."""

    notes: list[str]
    rows: list[dict[str, Any]]
    skipped: list[str]


def held(contests: Iterable[Contest | Skipped], plan: Plan, notes: list[str]) -> Part:
    """Hold one contest after another; the next is made only when the one before is over."""
    part = Part(notes, [], [])
    for contest in contests:
        if isinstance(contest, Skipped):
            part.skipped.append(f"{contest.name}: skipped: {contest.why}")
            continue
        print(f"… {contest.claims[0].name}", file=sys.stderr, flush=True)
        part.rows.extend(measured(contest, plan))
    return part


def measured(contest: Contest, plan: Plan) -> list[dict[str, Any]]:
    """A row for each claim of a contest."""
    seconds = in_turn(contest.ways, plan.repeats)
    return [row(claim, seconds[claim.ours], seconds.get(claim.theirs)) for claim in contest.claims]


def in_turn(ways: Mapping[str, Way], repeats: int, *, tidy: bool = True) -> dict[str, Seconds]:
    """All ways in each repeat, back and forth, so that what else the machine does meets all.

    Args:
        ways: by name.
        repeats: of each.
        tidy: collect garbage before each: what one way leaves is not for the next to clear away.
    """
    seconds: dict[str, Seconds] = {name: [] for name in ways}
    for repeat in range(repeats):
        for name in list(ways)[:: -1 if repeat % 2 else 1]:
            if tidy:
                gc.collect()
            seconds[name].append(ways[name]())
    return seconds


def row(claim: Claim, ours: Seconds, theirs: Seconds | None) -> dict[str, Any]:
    """The numbers of a claim, and whether it holds.

    Args:
        claim: what is claimed.
        ours: seconds, one a repeat.
        theirs: likewise; None where nothing stands beside.
    """
    middle = [statistics.median(ours), statistics.median(theirs) if theirs else float("nan")]
    value = claim.measure.of(*middle)
    each = [claim.measure.of(*pair) for pair in zip(ours, theirs or ours, strict=True)]
    sign, bound = claim.measure.sign, claim.bound
    return {
        "name": claim.name,
        "against": claim.theirs,
        "ours_ms": 1e3 * middle[0],
        "theirs_ms": 1e3 * middle[1] if theirs else None,
        "value": value,
        "lowest": min(each),
        "highest": max(each),
        "unit": claim.measure.words,
        "target": None if bound is None else f"{sign} {bound:g}",
        "met": None if bound is None else SIGNS[sign](value, bound),
        "all_ours_ms": [1e3 * second for second in ours],
        "all_theirs_ms": [1e3 * second for second in theirs or ()],
    }


def table(part: Part) -> str:
    """The part as a person reads it."""
    widths = [max([8, *(len(r[key]) for r in part.rows)]) + 2 for key in ("name", "against")]
    head = f"{'':{widths[0]}}{'against':{widths[1]}}{'ours ms':>9}{'theirs':>10}"
    lines = [f"{head}  {'':19}{'from - to':>17}  target"] if part.rows else []
    for r in part.rows:
        theirs = "" if r["theirs_ms"] is None else f"{r['theirs_ms']:.3f}"
        result = f"{number(r['value'])} {r['unit']}"
        spread = f"{number(r['lowest'])} - {number(r['highest'])}"
        verdict = "" if r["met"] is None else f"{r['target']}  {'met' if r['met'] else 'MISSED'}"
        lines.append(
            f"{r['name']:{widths[0]}}{r['against']:{widths[1]}}{r['ours_ms']:9.3f}{theirs:>10}"
            f"  {result:19}{spread:>17}  {verdict}".rstrip()
        )
    return "\n".join([*lines, *part.skipped, *part.notes])


def number(value: float) -> str:
    """Three digits or more."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.2f}"


def one_thread() -> None:
    """Keep every computation in the main thread, whose CPU time is all there is to count."""
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    threadpool_limits(1)
