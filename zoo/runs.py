"""The steps of a run that the commands share: build, keep, fit, finish, continue."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning.pytorch as pl
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import InstantiationException
from hydra.types import RunMode
from lightning.fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf

from zoo.build import build_model, make, reason
from zoo.callbacks import Checkpoint, TensorBoardSummary
from zoo.checkpoint import CheckpointError, checkpoint_file, contents, read, recipe
from zoo.config import ConfigError, fill, plain, run_folder, trusted
from zoo.cost import parameters
from zoo.files import whole
from zoo.lit.logger import TensorBoard
from zoo.losses import BinaryCrossEntropy, GaussianNLL, Loss
from zoo.models import Torchvision
from zoo.partners import check_sizes, check_targets, follow_target
from zoo.report import print_cost, print_table, say, shown, write_metrics
from zoo.transfer import begin, freeze, without_weights

if TYPE_CHECKING:
    from zoo.data import DataModule
    from zoo.lit import LitModel, Trainer


def build(cfg: DictConfig, *, new: bool = False) -> tuple[DataModule, LitModel]:
    """Read the data, fill in the sizes that it knows, and build the training module.

    Args:
        cfg: of the run.
        new: whether it begins with this net, or with weights that it names (`init_from`, or
            published ones); otherwise those of a checkpoint are to come.

    Raises:
        ConfigError: the data cannot be read, the net does not fit it, or weights to begin with
            cannot be had or used.
    """
    try:
        source = contents(cfg.init_from) if new and cfg.get("init_from") else None
        data = make(cfg.data)
        data.setup()
        follow_target(cfg, data.target)
        check_targets(cfg, data.target)
        facts = dict(data.facts)
        facts["out_features"] *= make(cfg.loss).outputs_per_target
        fill(cfg, facts)
        check_sizes(cfg, facts)
        module = build_model(cfg if new else without_weights(cfg))
        check_range(module, data)
        if isinstance(module.net, Torchvision):  # the only one that learns sizes from the images
            module.net.check_image(*data.facts["in_shape"][1:])
        freeze(module.net, cfg.get("freeze") or 0)  # a run of an older version has neither
        module.lr_decay = cfg.get("lr_decay") or 1.0
        if source is not None:
            begin(module.net, source.net, cfg.init_from)
        return data, module
    except (InstantiationException, ValueError, TypeError, OSError) as error:
        raise ConfigError(reason(error)) from error


def check_range(module: LitModel, data: DataModule) -> None:
    """Refuse a decoder that cannot reach what it has to give back.

    Raises:
        ConfigError: the data's range is not within the decoder's, or the likelihood's.
    """
    low, high = data.facts["range"]
    output_range = getattr(module.net, "output_range", None)
    if getattr(module.loss, "likelihood", None) == "bernoulli":
        output_range = (0, 1)  # of a probability
    if output_range and (low < output_range[0] or high > output_range[1]):
        raise ConfigError(
            f"the inputs lie in [{low:.3g}, {high:.3g}], what the decoder gives in "
            f"{list(output_range)}; use data.scaling=unit, or model.net.output=identity"
            + (" with loss.likelihood=gaussian" if hasattr(module.loss, "likelihood") else "")
        )


def make_trainer(cfg: DictConfig, checkpoint: Path | None) -> Trainer:
    """The trainer with its loggers and callbacks.

    Raises:
        ConfigError: flags that contradict each other, or a device that is not there.
    """
    settings = OmegaConf.create(cfg)
    if "tensorboard" in cfg.logger and any(Path(cfg.run_dir).glob("events.*")):
        first = read(checkpoint)["global_step"] + 1 if checkpoint else 0
        settings.logger.tensorboard.purge_step = first  # what comes from there on, comes again
    try:
        return make(
            settings.trainer,
            logger=list(make(settings.logger).values()),
            callbacks=[
                *make(settings.callbacks).values(),
                *(make(settings.pictures) or {}).values(),
            ],
        )
    except (MisconfigurationException, InstantiationException, ValueError, TypeError) as error:
        raise ConfigError(reason(error)) from error


def fill_memory(cfg: DictConfig, trainer: pl.Trainer, module: LitModel, data: DataModule) -> None:
    """Take the largest batch that fits into memory.

    Raises:
        ConfigError: the run has several processes.
    """
    from zoo.memory import largest_batch

    if trainer.world_size > 1:
        raise ConfigError(
            "trainer.auto_batch_size needs trainer.devices=1; type what it finds there as "
            "data.batch_size"
        )
    data.batch_size = cfg.data.batch_size = largest_batch(trainer, module, data)
    if data.eval_batch_size is None:  # four times as many might not fit
        data.eval_batch_size = cfg.data.eval_batch_size = data.batch_size
    say(f"batch  {data.batch_size:,} samples fit into memory")


def announce(cfg: DictConfig, data: DataModule, module: LitModel, trainer: pl.Trainer) -> None:
    """Say what is about to run; keep its config as a file, in TensorBoard and in checkpoints."""
    config = plain(cfg)
    rules = data.preprocessing(reconstructs=module.reconstructs, point=point_of(module.loss))
    kept = None if rules is None else rules.plain()
    module.recipe = recipe(config["model"]["net"], config, kept)
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, TensorBoardSummary):
            callback.config = config
    if trainer.is_global_zero:
        folder = Path(cfg.run_dir)
        folder.mkdir(parents=True, exist_ok=True)
        with whole(folder / "config.yaml") as unfinished:
            OmegaConf.save(OmegaConf.create(config), unfinished)
        count = parameters(module.net)
        say(f"model  {cfg.choices.model}: {type(module.net).__name__}, {count:,} parameters")
        say(f"data   {data.describe()}")
        say(f"run    {shown(folder)}")


def point_of(loss: Loss) -> str:
    """What a net's outputs are to a loss, as preprocessing says it."""
    if isinstance(loss, BinaryCrossEntropy):
        return "logits"
    return "first_half" if isinstance(loss, GaussianNLL) else "all"


def fit(trainer: pl.Trainer, module: LitModel, data: DataModule, checkpoint: Path | None) -> None:
    """Fit.

    Raises:
        ConfigError: a part refused the first batch.
    """
    try:
        trainer.fit(module, data, ckpt_path=checkpoint)
    except ValueError as error:
        if trainer.global_step:
            raise
        # Nothing has been learned yet: the parts do not fit the data, or each other.
        raise ConfigError(reason(error)) from error


def finish(
    cfg: DictConfig, trainer: pl.Trainer, module: LitModel, data: DataModule
) -> dict[str, Any]:
    """Test the best weights, write `metrics.json`, print the table."""
    folder, best = Path(cfg.run_dir), {}
    metrics = scalars(trainer)
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, Checkpoint):
            best = {f"best/{name}": value for name, value in callback.best_epoch().items()}
            metrics |= best
    checkpoint = folder / "checkpoints" / "best.ckpt"
    trainer.test(
        module, data, ckpt_path=checkpoint if checkpoint.is_file() else None, verbose=False
    )
    metrics |= scalars(trainer)
    row = {"model": cfg.choices.model, "data": cfg.choices.data, "seed": cfg.seed, **metrics}
    if trainer.is_global_zero:
        for logger in trainer.loggers:
            logger.log_metrics(best, step=trainer.global_step)
            if isinstance(logger, TensorBoard):
                logger.close()
        write_metrics(folder, row)
        print_table(f"{cfg.choices.model} on {cfg.choices.data}, seed {cfg.seed}", metrics)
        print_cost(metrics)
        say(f"run    {shown(folder)}")
        say(f"look   tensorboard --logdir {shown(log_root(cfg))}")
    return row


def log_root(cfg: DictConfig) -> Path:
    """The folder to show in TensorBoard: the run's, or that of all runs of a sweep."""
    sweep = HydraConfig.initialized() and HydraConfig.get().mode is RunMode.MULTIRUN
    return Path(cfg.run_dir).parent if sweep else Path(cfg.run_dir)


def scalars(trainer: pl.Trainer) -> dict[str, float]:
    """Everything logged last, as numbers."""
    return {name: float(value) for name, value in trainer.callback_metrics.items()}


def continued(cfg: DictConfig) -> tuple[DictConfig, Path | None]:
    """The config of the run to resume, with the overrides of this command, and its last checkpoint.

    A run that was ended before its first checkpoint has none, and begins again.

    Raises:
        ConfigError: there is no such run, or an override would change what it is.
    """
    folder = run_folder(cfg.resume)
    record, file, done = folder / "config.yaml", None, 0
    kept = [name for name in ("last.ckpt", "best.ckpt") if (folder / "checkpoints" / name).exists()]
    if Path(cfg.resume).is_dir() and record.is_file() and not kept:
        saved = trusted(plain(OmegaConf.load(record)), str(record))  # type: ignore[arg-type]
    else:
        # The best is written first: alone, it is of the first epoch, and the last one too.
        file, checkpoint = last_checkpoint(cfg.resume, (kept or ["last.ckpt"])[0])
        saved, done = trusted(checkpoint["zoo"]["config"], str(file)), checkpoint["epoch"] + 1
    for key in cfg.keys() - saved.keys():  # a run of an older version lacks what came since
        OmegaConf.update(saved, str(key), None, force_add=True)
    words = [w for w in HydraConfig.get().overrides.task if not w.startswith("resume=")]
    for override in OverridesParser.create().parse_overrides(words):
        key = override.key_or_group
        if not key.startswith(("trainer.", "callbacks.", "pictures.")):
            raise ConfigError(
                f"{override.input_line!r} would make it another run; with resume only trainer.…, "
                "callbacks.… and pictures.… can change"
            )
        OmegaConf.update(saved, key, override.value())
    epochs = saved.trainer.max_epochs
    if epochs is not None and 0 <= epochs < done:
        raise ConfigError(f"{file} is from epoch {done}; `trainer.max_epochs` must not be less")
    return moved(saved, saved.run_dir, str(folder)), file


def last_checkpoint(resume: str, name: str) -> tuple[Path, dict[str, Any]]:
    """The checkpoint `name` of a run, or the file itself, and what is in it.

    Raises:
        ConfigError: there is none, or it is damaged; names the best epoch's if that one is whole.
    """
    try:
        file = checkpoint_file(resume, name)
        return file, read(file)
    except CheckpointError as error:
        best = run_folder(resume) / "checkpoints" / "best.ckpt"
        try:
            epoch = read(best)["epoch"] + 1
        except CheckpointError:
            raise ConfigError(str(error)) from error
        remedy = f"that of its best epoch, {epoch}, is whole: zoo-train resume={shown(best)}"
        raise ConfigError(f"{error}; {remedy}") from error


def moved(cfg: DictConfig, old: str, new: str) -> DictConfig:
    """The config of a run whose folder was at `old` when it was written, and is now at `new`."""

    def walk(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: walk(value) for key, value in node.items()}
        if isinstance(node, str) and (node == old or node.startswith(f"{old}/")):
            return new + node[len(old) :]
        return [walk(value) for value in node] if isinstance(node, list) else node

    return OmegaConf.create(walk(plain(cfg)), flags={"struct": True})


def quiet() -> None:
    """Keep the libraries' notices about themselves out of the output."""
    for name in ("lightning.pytorch", "lightning.fabric", "matplotlib"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"lightning\..*")
    # Of a run that was stopped after an epoch's last batch.
    warnings.filterwarnings("ignore", "The ``compute`` method of metric")
