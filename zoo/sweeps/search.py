"""The trials of a search: made one after another, each from what the others have shown."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from zoo.config import plain
from zoo.sweeps import record, study
from zoo.sweeps.freeze import write_config
from zoo.sweeps.grid import now
from zoo.sweeps.loop import Task
from zoo.sweeps.record import Record
from zoo.sweeps.space import Space, label, read, words

if TYPE_CHECKING:
    import optuna

BASES = "bases"  # folder of the configs that trials are made from


class Search:
    """The trials of a search that is launched or taken up again.

    Args:
        folder: of the search.
        kept: its record.

    Attributes:
        settings: of the search, as its record has them.
        study: what is known so far.
        space: what a trial may set.
        groups: what each combination of groups that it may choose is.
    """

    unit = "trials"

    def __init__(self, folder: Path, kept: Record) -> None:
        assert kept.search is not None
        self.settings = kept.search
        self.folder = folder
        self.record = kept
        self.space: Space = read(self.settings["space"])
        self.study = study.opened(folder, self.settings, self.settings["mode"])
        self.groups: list[dict[str, Any]] = self.settings["groups"]
        self._bases: list[Any] = [
            OmegaConf.load(folder / BASES / f"{number}.yaml") for number in range(len(self.groups))
        ]
        self._trials: dict[int, optuna.Trial] = {}
        self._begun: list[optuna.Trial] = []
        self._take_up()

    @property
    def left(self) -> int:
        """How many have not been begun."""
        return max(0, self.settings["trials"] - self.asked) + len(self._begun)

    @property
    def asked(self) -> int:
        """How many there are, in whatever state."""
        return len(self.study.get_trials(deepcopy=False))

    @property
    def begun(self) -> list[Path]:
        """The folders of those that a killed search has begun."""
        return [self.folder / t.user_attrs["folder"] for t in self._begun if t.user_attrs]

    def next(self) -> Task:
        """The next trial, its config written: one that was begun before, or a new one."""
        trial = self._begun.pop(0) if self._begun else self.study.ask()
        self._trials[trial.number] = trial
        values = {key: axis.suggest(trial, key) for key, axis in self.space.items()}
        run = self.folder / self._named(trial, values)
        if not record.can_run(run):
            write_config(run, self._config(run, values))
        (run / record.FAILURE).unlink(missing_ok=True)
        typed = [*self.settings["overrides"], *words(values)]
        told = f"trial {trial.number}  {label(values)}"
        return Task(run, told, typed, self.record.config_dir, self.settings["metric"], trial.number)

    def heard(self, task: Task, message: dict[str, Any]) -> dict[str, Any]:
        """Keep what a trial reports, and say whether it is worth going on."""
        trial, epoch = self._trials[task.number], message["epoch"]
        if epoch in self.known(task.number).intermediate_values:
            return {"prune": False}  # of the time before the search was killed
        trial.report(message["value"], epoch)
        return {"prune": bool(trial.should_prune())}

    def ended(self, task: Task, state: str, reason: str, seconds: float) -> str:
        """Note how a trial has ended; a line that says so."""
        trial = self._trials[task.number]
        trial.set_user_attr("seconds", seconds)
        states = self.states
        if state == "finished":
            value, epoch = self._value(task.folder)
            if value is not None:
                trial.set_user_attr("epoch", epoch)
                self.study.tell(trial, value)
                return f"{task.label}  {self.settings['metric']} {value:.4g}  {seconds:.1f} s"
            state, reason = "failed", f"it has no {self.settings['metric']} that is a number"
        if state == "pruned":
            epoch = max(self.known(task.number).intermediate_values, default=0)
            reason = f"given up after epoch {epoch}: worse than the median of the others"
        trial.set_user_attr("reason", reason)
        record.write_failure(task.folder, reason, now())
        self.study.tell(trial, state=states.PRUNED if state == "pruned" else states.FAIL)
        return f"{task.label}  {reason if state == 'pruned' else f'failed: {reason}'}"

    def known(self, number: int) -> optuna.trial.FrozenTrial:
        """What the study knows of a trial."""
        return self.study.get_trials(deepcopy=False)[number]

    @property
    def states(self) -> Any:
        """The states that a trial may be in."""
        return study.imported().trial.TrialState

    def _take_up(self) -> None:
        """Go on with the trials that a killed search has begun, as far as they have come."""
        optuna = study.imported()
        for kept in self.study.get_trials(deepcopy=False, states=(self.states.RUNNING,)):
            trial = optuna.Trial(self.study, kept._trial_id)
            run = self.folder / kept.user_attrs.get("folder", "-")
            if record.finished(run):
                self._trials[kept.number] = trial
                task = Task(run, "", [], None, number=kept.number)
                self.ended(task, "finished", "", kept.user_attrs.get("seconds", math.nan))
            else:
                self._begun.append(trial)

    def _named(self, trial: optuna.Trial, values: Mapping[str, Any]) -> str:
        """The folder of a trial, named as that of a run, with its settings short."""
        if "folder" not in trial.user_attrs:
            node = {"number": trial.number, "settings": label(values).replace(" ", ",")}
            name = OmegaConf.create({**node, "name": "${zoo.job_name:${number},${settings}}"}).name
            trial.set_user_attr("folder", name)
        return str(trial.user_attrs["folder"])

    def _config(self, run: Path, values: Mapping[str, Any]) -> dict[str, Any]:
        """The config of a trial, from the one that was frozen for its groups."""
        chosen = {key: value for key, value in values.items() if key in self.groups[0]}
        cfg = self._bases[self.groups.index(chosen)].copy()
        cfg.run_dir = str(run)
        for key, value in values.items():
            if key not in chosen:
                OmegaConf.update(cfg, key, value)
        return plain(cfg)

    def _value(self, run: Path) -> tuple[float | None, Any]:
        """The best value of the watched metric, and its epoch. The test is not looked at."""
        row = record.metrics(run)
        name = self.settings["metric"].partition("/")[2]
        return row.get(f"best/{name}"), row.get("best/epoch")


def settled(raw: Any, resolved: Any) -> Any:
    """A config with what resolvers say put in, so that it no longer depends on them.

    What one key takes over from another one stays as it is: a trial may set the other.
    """
    if isinstance(raw, dict):
        return {key: settled(value, resolved[key]) for key, value in raw.items()}
    if isinstance(raw, list):
        return [settled(value, known) for value, known in zip(raw, resolved, strict=True)]
    return resolved if isinstance(raw, str) and re.search(r"\$\{[^}]*:", raw) else raw
