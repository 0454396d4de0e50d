"""Answers as rows to write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def records(
    name: Mapping[str, Any], answer: Mapping[str, Any], format: str
) -> Iterator[dict[str, Any]]:
    """The rows of an answer: one, or one for each step.

    Args:
        name: what the sample is called, as the first columns.
        answer: see `zoo.preprocessing`.
        format: of the file; csv has no lists, and only npz has arrays.
    """
    flat = format == "csv"
    if "steps" in answer:
        for number, step in enumerate(answer["steps"], 1):
            content = of_classes(step, flat) if isinstance(step, dict) else of_values(step, flat)
            yield {**name, "step": number, **content}
    elif "names" in answer:  # a forecast
        taken = {*name, "step"}  # which a column that is forecast may be named, too
        names = [f"{column}_forecast" if column in taken else column for column in answer["names"]]
        for number, values in enumerate(answer["values"], 1):
            yield {**name, "step": number, **dict(zip(names, values, strict=True))}
    elif "label" in answer:
        yield {**name, **of_classes(answer, flat)}
    elif "values" in answer:
        yield {**name, **of_values(answer["values"], flat)}
    else:
        arrays = {"reconstruction": answer["reconstruction"]} if format == "npz" else {}
        yield {**name, "score": answer["score"], **arrays}


def of_classes(answer: Mapping[str, Any], flat: bool) -> dict[str, Any]:
    """The likeliest class, and the next ones if there are several."""
    top = answer["top"]
    found = {"label": answer["label"], "probability": answer["probability"]}
    if flat:
        for place, (label, probability) in enumerate(top[1:], 2):
            found |= {f"label_{place}": label, f"probability_{place}": probability}
    elif len(top) > 1:
        found["top"] = [list(entry) for entry in top]
    return found


def of_values(values: list[float], flat: bool) -> dict[str, Any]:
    """One value, or several."""
    if len(values) == 1:
        return {"value": values[0]}
    if not flat:
        return {"values": values}
    return {f"value_{place}": value for place, value in enumerate(values, 1)}
