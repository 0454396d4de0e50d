"""What a person sees while a sweep runs: a line for each run that has ended, and one bar."""

from __future__ import annotations

import sys
from types import TracebackType

from tqdm import tqdm

from zoo.report import say


class Progress:
    """Lines on the output, and a bar on the errors if they are a terminal. As a context.

    Args:
        total: runs there are.
        done: runs that had ended before.
    """

    def __init__(self, total: int, done: int = 0) -> None:
        self.total = total
        self.done = done
        self._bar: tqdm | None = None

    def __enter__(self) -> Progress:
        """Draw the bar."""
        if sys.stderr.isatty():
            self._bar = tqdm(
                total=self.total,
                initial=self.done,
                smoothing=0,  # runs of one family come one after another
                dynamic_ncols=True,
                bar_format="{bar} {n_fmt}/{total_fmt} runs {elapsed}, {remaining} to go{postfix}",
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.leave = False
            self._bar.close()

    def ended(self, line: str) -> None:
        """Tell of a run that has ended."""
        self.done += 1
        self.tell(f"{self.done:>{len(str(self.total))}}/{self.total}  {line}")
        if self._bar is not None:
            self._bar.update()

    def tell(self, line: str) -> None:
        """Write a line above the bar."""
        if self._bar is not None:
            self._bar.clear()
        say(line)
        if self._bar is not None:
            self._bar.refresh()

    def tick(self, running: int) -> None:
        """Let the clock of the bar go on."""
        if self._bar is not None:
            self._bar.set_postfix_str(f"{running} running" if running else "starting", refresh=True)
