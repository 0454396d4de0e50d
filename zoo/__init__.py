"""A zoo of the network types: FNN, CNN, RNN, GRU, LSTM and autoencoders.

`zoo.models` needs nothing but torch. `import zoo` imports nothing at all; its functions load what
they need when called.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["create_model", "list_models", "load", "predict", "push_to_hub", "save"]

if TYPE_CHECKING:
    from zoo.checkpoint import load, save
    from zoo.hub import push_to_hub
    from zoo.predictor import predict
    from zoo.presets import create_model, list_models

HOME = {
    "create_model": "zoo.presets",
    "list_models": "zoo.presets",
    "load": "zoo.checkpoint",
    "predict": "zoo.predictor",
    "push_to_hub": "zoo.hub",
    "save": "zoo.checkpoint",
}


def __getattr__(name: str) -> Any:
    if name in HOME:
        return getattr(import_module(HOME[name]), name)
    raise AttributeError(f"module 'zoo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
