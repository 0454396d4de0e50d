"""A net as a file for other runtimes: ONNX, torch's ExportedProgram, or a model folder."""

from zoo.exports.metadata import metadata
from zoo.exports.result import Exported, Quantisation
from zoo.exports.signature import ExportError, Port
from zoo.exports.summary import summary
from zoo.exports.write import SUFFIXES, export

__all__ = [
    "SUFFIXES",
    "ExportError",
    "Exported",
    "Port",
    "Quantisation",
    "export",
    "metadata",
    "summary",
]
