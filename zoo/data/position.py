"""Where a loader stands in its epochs, so that a run continues in the middle of one."""


class Position:
    """What all loaders keep: an order given by (seed, epoch), and how many batches are served."""

    seed: int
    epoch: int
    _served: int  # batches of this epoch
    _resumed: bool

    def __len__(self) -> int:
        """Batches of an epoch."""
        raise TypeError(f"{type(self).__name__} does not say how many batches an epoch has")

    def state_dict(self) -> dict[str, int]:
        """The exact position: the batch after the last one served."""
        return {
            "seed": self.seed,
            "epoch": self.epoch,
            "served": self._served,
            "steps": len(self),
        }

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continues at a position; in mid-epoch only with the same number of batches.

        Raises:
            ValueError: if the position is inside an epoch of another length.
        """
        if state["served"] and state["steps"] != len(self):
            raise ValueError(
                f"`state` must be of an epoch of {len(self)} batches, got one of {state['steps']}; "
                "continue with the same batch_size, length, drop_last and number of ranks"
            )
        self.seed, self.epoch, self._served = state["seed"], state["epoch"], state["served"]
        self._resumed = True
