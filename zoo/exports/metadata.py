"""What an exported file says of itself: net, version, classes, preprocessing, inputs, outputs."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from zoo.exports.signature import ExportError, Port, Signature

if TYPE_CHECKING:
    from zoo.preprocessing import Preprocessing

ENTRY = "zoo.json"  # of a .pt2 file
PREFIX = "zoo."  # of the keys, beside which other tools may have theirs
STRINGS = ("version", "net")  # all others are JSON


def facts_of(
    net: nn.Module, signature: Signature, preprocessing: Preprocessing | None
) -> dict[str, str]:
    """Everything by key, strings as they are and the rest as JSON."""
    import zoo

    facts: dict[str, Any] = {
        "version": zoo.__version__,
        "net": type(net).__name__,
        "arguments": net.arguments,
        "inputs": {port.name: described(port) for port in signature.inputs},
        "outputs": {port.name: described(port) for port in signature.outputs},
    }
    if preprocessing is not None:
        facts["preprocessing"] = plain = preprocessing.plain()
        if "scaling" in plain["input"]:
            facts["normalisation"] = plain["input"]["scaling"]
        if plain["output"]["kind"] == "classes":
            facts["classes"] = plain["output"]["names"]
    return {f"{PREFIX}{key}": as_text(value) for key, value in facts.items()}


def described(port: Port) -> dict[str, Any]:
    """A port without its name."""
    return {"shape": list(port.shape), "dtype": port.dtype, "meaning": port.meaning}


def as_text(value: Any) -> str:
    """A string as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def as_entry(facts: Mapping[str, str]) -> str:
    """The facts as one text."""
    return json.dumps(dict(facts), ensure_ascii=False, indent=1)


def metadata(path: str | Path) -> dict[str, Any]:
    """What an exported file says of itself, by key without the prefix `zoo.`; runs nothing of it.

    Args:
        path: an `.onnx` or `.pt2` file.

    Raises:
        ExportError: it is not one that the zoo wrote.
        ImportError: the extra `export` is not installed.
    """
    path = Path(path)
    found = of_onnx(path) if path.suffix == ".onnx" else of_program(path)
    facts = {k.removeprefix(PREFIX): v for k, v in found.items() if k.startswith(PREFIX)}
    if "net" not in facts:
        raise ExportError(f"{path} says nothing of itself: the zoo has not written it")
    return {k: v if k in STRINGS else json.loads(v) for k, v in facts.items()}


def of_onnx(path: Path) -> dict[str, str]:
    """The metadata of an ONNX file.

    Raises:
        ExportError: it cannot be read.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(path, load_external_data=False)
    except (OSError, DecodeError) as error:
        raise ExportError(f"{path} cannot be read as ONNX ({error})") from error
    return {prop.key: prop.value for prop in model.metadata_props}


def of_program(path: Path) -> dict[str, str]:
    """The metadata of a .pt2 file, which is a zip archive.

    Raises:
        ExportError: it cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entry = next((n for n in archive.namelist() if n.endswith(f"/extra/{ENTRY}")), None)
            return dict(json.loads(archive.read(entry))) if entry else {}
    except (OSError, zipfile.BadZipFile, ValueError) as error:
        raise ExportError(f"{path} cannot be read as an exported program ({error})") from error
