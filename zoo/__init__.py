"""A zoo of the network types: FNN, CNN, RNN, GRU, LSTM and autoencoders.

`zoo.models` needs nothing but torch. `import zoo` imports nothing at all; its functions load what
they need when called.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["create_model", "list_models", "load"]

if TYPE_CHECKING:
    from zoo.checkpoint import load
    from zoo.presets import create_model, list_models


def __getattr__(name: str) -> Any:
    if name == "load":
        from zoo.checkpoint import load

        return load
    if name in ("create_model", "list_models"):
        from zoo import presets

        return getattr(presets, name)
    raise AttributeError(f"module 'zoo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
