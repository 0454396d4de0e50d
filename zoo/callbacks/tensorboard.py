"""What TensorBoard shows of a run besides its curves: hyperparameters, layout, config, graph."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from typing import Any, cast

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from zoo.lit import LitModel
from zoo.lit.logger import TensorBoard

SKIPPED = (
    "run_dir",
    "resume",
    "callbacks",
    "pictures",
    "sweep",
    "logger",
    "trainer.default_root_dir",
    "trainer.profiler",
)
# Settings that are a number or a flag in one run and a word in the next.
TEXTS = ("trainer.devices", "trainer.precision", "trainer.deterministic")


class TensorBoardSummary(Callback):
    """Writes, once a run: hyperparameters, the layout of its charts, its config and its graph.

    Args:
        graph: whether to trace the net for the Graphs tab.
    """

    def __init__(self, *, graph: bool = True) -> None:
        self.graph = graph
        self.config: dict[str, Any] = {}  # the resolved config; set by whoever composed it

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write all that is known before training."""
        writer, module = writer_of(trainer), cast(LitModel, pl_module)
        if writer is None:
            return
        self._write_session(writer, start=True)
        writer.add_text("config", as_markdown(self.config))
        metrics = list(module.metrics_of("val"))
        writer.add_custom_scalars(layout(metrics, list(module.penalties)))
        if self.graph and not trainer.ckpt_path:
            batch = next(iter(trainer.datamodule.val_dataloader()), None)  # type: ignore[attr-defined]
            if batch is not None:
                add_graph(writer, module.net, batch)

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Close the session in the HPARAMS tab."""
        writer = writer_of(trainer)
        if writer is not None:
            self._write_session(writer, start=False)

    def _write_session(self, writer: SummaryWriter, start: bool) -> None:
        # torch's `add_hparams` also writes an experiment summary. TensorBoard keeps an arbitrary
        # one of those, and with it the columns of that run alone; from session summaries it forms
        # the union over all runs itself.
        # TensorBoard's own function for the start keeps true and false apart from 1 and 0.
        _, _, session_end = hparams({}, {})
        file_writer = writer._get_file_writer()
        assert file_writer is not None
        file_writer.add_summary(hparams_pb(flat(self.config), "") if start else session_end)


def writer_of(trainer: pl.Trainer) -> SummaryWriter | None:
    """The event writer of the run, on the process that writes."""
    loggers = [logger for logger in trainer.loggers if isinstance(logger, TensorBoard)]
    return loggers[0].writer if loggers and trainer.is_global_zero else None


def flat(config: Mapping[str, Any]) -> dict[str, float | bool | str]:
    """The config as dotted keys, one type per key: numbers are floats, lists text, no None."""
    rows: dict[str, float | bool | str] = {}

    def walk(node: Mapping[str, Any], path: str) -> None:
        for key, value in node.items():
            name = f"{path}.{key}".lstrip(".").removeprefix("choices.")
            if name in SKIPPED or value is None or str(key).startswith("_"):
                continue
            if isinstance(value, Mapping):
                walk(value, name)
            elif isinstance(value, bool) and name not in TEXTS:
                rows[name] = value
            elif isinstance(value, (int, float)) and name not in TEXTS:
                rows[name] = float(value)
            else:
                items = value if isinstance(value, list) else [value]
                rows[name] = ", ".join(str(item) for item in items)

    walk(config, "")
    return rows


def layout(metrics: list[str], penalties: list[str]) -> dict[str, Any]:
    """Custom-scalars charts: training and validation of one number in one picture."""
    charts: dict[str, Any] = {
        # The names are regular expressions: without the end, loss would also show loss_step.
        name: ["Multiline", [f"train/{name}$", f"val/{name}$", f"baseline/{name}$"]]
        for name in ["loss", *metrics]
    }
    if penalties:
        charts["penalties"] = ["Multiline", [f"train/penalty/{name}$" for name in penalties]]
    return {"training and validation": charts}


def as_markdown(config: Mapping[str, Any]) -> str:
    """The config as indented text."""
    return "\n".join(f"    {line}" for line in json.dumps(config, indent=2).splitlines())


def add_graph(writer: SummaryWriter, net: nn.Module, batch: Any) -> None:
    """Trace the net for the Graphs tab, leaving it and the random numbers as they were."""
    device = next(net.parameters()).device
    x = batch.x[:2].to(device)
    modes = [module.training for module in net.modules()]
    forked = torch.random.fork_rng([device] if device.type == "cuda" else [])
    with forked, torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # torch deprecates its tracer, the only one that TensorBoard reads
        writer.add_graph(FirstTensor(net).eval(), x, use_strict_trace=False)
    for module, training in zip(net.modules(), modes, strict=True):
        module.training = training


class FirstTensor(nn.Module):
    """A net that gives back a named tuple, as one that gives back its first tensor."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """The first result of the net."""
        output = self.net(x)
        return output if isinstance(output, Tensor) else output[0]
