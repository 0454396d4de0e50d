"""What the numbers of a run are called, and which way is better."""

STAGES = ("train", "val", "test", "best", "baseline")
RISING = ("accuracy", "r2")  # all others are errors, or costs


def rises(name: str) -> bool:
    """Whether more of it is better: of `test/accuracy`, but not of `test/loss`."""
    stage, _, metric = name.rpartition("/")
    return metric in RISING and stage != "gap"
