"""A sweep from its words, or from its folder, to its comparison."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from omegaconf import DictConfig

from zoo.cli import discard
from zoo.config import ConfigError
from zoo.folders import alone_in, reserve
from zoo.report import say, shown
from zoo.sweeps import devices, record
from zoo.sweeps.freeze import composed_jobs, write_config
from zoo.sweeps.grid import Grid, now
from zoo.sweeps.loop import Loop, Runs
from zoo.sweeps.plan import Plan, plan
from zoo.sweeps.pool import Pool
from zoo.sweeps.progress import Progress
from zoo.sweeps.record import Entry, Record
from zoo.sweeps.words import Settings, Words, axes, composed


def launch(words: Words, settings: Settings) -> int:
    """Run a sweep from its beginning; its exit code.

    Raises:
        ConfigError: something cannot work; nothing has been run, and nothing is left behind.
        Stopped: by a signal, with all that ran saved.
    """
    typed = axes(words.overrides, words.config_dir)
    base = composed("train", [many[0] for many in typed.values()], words.config_dir)
    experiment = base.hydra.runtime.choices.get("experiment")
    planned = plan(typed, settings.seeds, base.sweep, experiment)
    check_folder(settings.folder, typed=words.has("folder"))
    say(f"check  {len(planned.jobs)} runs")
    with workers(base, settings.jobs, len(planned.jobs)) as pool:
        # They import torch while the configs are checked.
        configs = composed_jobs(planned.jobs, words.config_dir, base.sweep)
        with new_folder(settings.folder) as folder:
            entries = []
            for job in planned.jobs:
                config = configs[job.words]
                name = config.folder_name(job)
                write_config(folder / name, config.frozen(folder / name, job.seed))
                entries.append(Entry(name, job.label, job.overrides))
            kept = new_record(words, planned, entries, base, pool.threads)
            kept.write(folder)
            return drive(Grid(folder, kept), pool, folder)


def resume(folder: Path, kept: Record, settings: Settings) -> int:
    """Run what is missing of a sweep; its exit code.

    Raises:
        ConfigError: it runs already.
        Stopped: by a signal, with all that ran saved.
    """
    with alone_in(folder):
        grid = Grid(folder, kept, retry=settings.retry)
        others_have_ended([task.folder for task in grid.tasks])
        told = f"{grid.done} finished, {len(grid.failed)} failed, {grid.left} to be run"
        say(f"sweep  {shown(folder)}: of {len(kept.jobs)} runs {told}")
        if not grid.left:
            return conclude(grid, folder)
        with workers_again(kept, settings.jobs, grid.left) as pool:
            return drive(grid, pool, folder)


def drive(grid: Grid, pool: Pool, folder: Path) -> int:
    """Run what there is to run, and say what came of it; the exit code."""
    total = len(grid.record.jobs)
    run_all(grid, pool, folder, total, grid.done + len(grid.failed))
    return conclude(grid, folder)


def run_all(runs: Runs, pool: Pool, folder: Path, total: int, done: int) -> None:
    """Keep the workers busy, and a person informed, until everything has run."""
    say(f"run    {runs.left} {runs.unit}, {len(pool.workers)} at a time, {pool.described}")
    say(f"       in {shown(folder)}")
    with Progress(total, done) as progress:
        Loop(runs, pool, progress, folder).run()


def conclude(grid: Grid, folder: Path) -> int:
    """Compare what has finished, and name what has failed; the exit code."""
    if grid.done:
        from zoo.comparison import report

        report([folder], **grid.record.report)
    if not grid.failed:
        return 0
    say(f"\n{len(grid.failed)} of {len(grid.record.jobs)} runs failed:")
    for name, reason in grid.failed.items():
        say(f"  {name}  {reason}")
    say(f"run them again with: zoo-sweep resume={shlex.quote(shown(folder))} retry=true")
    return 1


# --- a folder, a record, and workers ---------------------------------------------------------


def check_folder(folder: Path, *, typed: bool) -> None:
    """Check that a folder that was typed is not in use.

    Raises:
        ConfigError: something is in it.
    """
    if not typed or not folder.exists():
        return
    if (folder / record.RECORD).exists():
        name = shown(folder)
        raise ConfigError(f"{name} has a sweep; go on with it by resume={name}, or name another")
    if not folder.is_dir() or any(folder.iterdir()):
        raise ConfigError(f"folder={shown(folder)} is not empty; name a new one")


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder for a sweep, which nobody else has; removed if nothing came into it."""
    try:
        own = folder if folder.is_dir() else reserve(folder)
    except OSError as error:
        raise ConfigError(
            f"cannot write {folder}: {error.strerror}; choose another folder="
        ) from error
    try:
        with alone_in(own):
            yield own
    finally:
        discard(own)


def others_have_ended(runs: Sequence[Path]) -> None:
    """Wait for workers of a sweep that was killed: they save what they ran, and end.

    Raises:
        ConfigError: a run is in use for longer than that takes.
    """
    for run in runs:
        if (run / ".lock").exists():
            with alone_in(run):
                pass


def workers(base: DictConfig, jobs: int | None, count: int) -> Pool:
    """Workers for runs with such a config."""
    each = devices.devices_of(base.trainer)
    environments = devices.environments(jobs, each, count)
    return Pool(environments, devices.threads(len(environments)), Path.cwd())


def workers_again(kept: Record, jobs: int | None, count: int) -> Pool:
    """Workers for the rest of a sweep, with as many threads: their number changes the sums."""
    environments = devices.environments(jobs, kept.devices, count)
    return Pool(environments, devices.typed_threads() or kept.threads, Path(kept.cwd))


def new_record(
    words: Words, planned: Plan, entries: list[Entry], base: DictConfig, threads: int
) -> Record:
    """The record of a sweep that is about to begin."""
    return Record(
        command=[*words.overrides, *words.own],
        jobs=entries,
        axes=planned.axes,
        seeds=planned.seeds,
        report=planned.report,
        search=None,
        threads=threads,
        devices=devices.devices_of(base.trainer),
        cwd=str(Path.cwd()),
        config_dir=words.config_dir,
        created=now(),
        versions=record.versions(),
        commit=record.commit(),
    )
