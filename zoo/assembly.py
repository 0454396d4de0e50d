"""From a recipe and tensors to a net, trusting neither of them."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

# So many layers of their kind: each makes tensors of its own.
COUNTS = ("num_layers", "depth")
FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
ALWAYS = 1 << 22  # a size that any net may have, as that of a picture, of which no tensor tells
LONGEST = 10_000  # text or list in a recipe


class CheckpointError(ValueError):
    """What is to be loaded is not of the zoo, or damaged, or not to be trusted; says why."""


def assemble(recipe: Mapping[str, Any], tensors: Mapping[str, Tensor], source: Any) -> nn.Module:
    """The net of a recipe with these weights, in eval mode, on the CPU.

    The recipe is first built without memory, and held against the tensors that are there: a few
    bytes that ask for gigabytes get none.

    Args:
        recipe: "net", the name of a class in `zoo.models`, and its "arguments".
        tensors: the weights; of tied ones the first is enough.
        source: where they come from, for errors.

    Raises:
        CheckpointError: a net that is not in the zoo, arguments that do not fit it, or tensors that
            do not fit the net or are not finite.
    """
    arguments = recipe.get("arguments")
    if not isinstance(arguments, dict):
        kind = type(arguments).__name__
        raise CheckpointError(f"{source}: a net of zoo.models has named arguments, got a {kind}")
    check_tree(arguments, source, "recipe", most=1_000, deepest=8)
    check_plain(arguments, source)
    check_dense(tensors, source)
    check_sizes(arguments, tensors, source)
    check_tensors(plan(recipe, source), tensors, source)
    check_finite(tensors, source)
    # What it is drawn with at first is nobody's concern.
    with torch.random.fork_rng([]), torch.device("cpu"):
        net = build(recipe, source)
    kinds = {t.dtype for t in tensors.values() if t.is_floating_point()}
    if len(kinds) == 1:
        net = net.to(dtype=kinds.pop())
    states = net.state_dict(keep_vars=True)
    for key, tensor in tensors.items():
        states[key].data = states[key].data.to(tensor.dtype)  # not all need be of one kind
    net.load_state_dict(dict(tensors), strict=len(tensors) == len(states))
    return net.eval()


class Undrawn(TorchFunctionMode):
    """Leaves the numbers undrawn with which a net is to begin.

    Without memory there is nothing to draw, and torch would import its compiler for it: that takes
    as long as to import torch.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Give back a tensor as it is; do all else."""
        given = kwargs or {}
        if func is Tensor.normal_:
            return args[0]
        if getattr(func, "__module__", None) == "torch.nn.init":
            return args[0] if args else given["tensor"]
        return func(*args, **given)


def plan(recipe: Mapping[str, Any], source: Any) -> nn.Module:
    """A net without memory, on the meta device: its layers, and the shapes of its weights.

    Raises:
        CheckpointError: as `build`.
    """
    with torch.random.fork_rng([]), torch.device("meta"), Undrawn():
        return build(recipe, source)


def build(recipe: Mapping[str, Any], source: Any) -> nn.Module:
    """Build the net a recipe names: a class of `zoo.models` and plain arguments for it.

    Raises:
        CheckpointError: no such class, or arguments that do not fit it.
    """
    import zoo.models

    name, arguments = recipe.get("net"), recipe["arguments"]
    # The face alone is searched: a file must never choose what is imported.
    known = isinstance(name, str) and name in zoo.models.__all__
    net = getattr(zoo.models, str(name)) if known else None
    if not (inspect.isclass(net) and issubclass(net, nn.Module)):
        raise CheckpointError(f"{source} holds a net {short(name)} that is not one of zoo.models")
    try:
        return net(**arguments)
    except (TypeError, ValueError, RuntimeError, ArithmeticError, LookupError) as error:
        text = " ".join(str(error).split())
        raise CheckpointError(
            f"{source}: {name} cannot be built from its recipe: {text[:300]}"
        ) from error


def check_tree(
    value: Any, source: Any, part: str, *, most: int = 200_000, deepest: int = 64
) -> None:
    """Refuse lists and dictionaries without end.

    A pickle can hold what no JSON can: lists that hold themselves, or that seem endless by holding
    the same list many times. They are looked through without recursion, and not to their end.

    Args:
        value: what a file holds.
        source: the file, for errors.
        part: what that is of it, for errors.
        most: how many there may be.
        deepest: how deep they may be nested.

    Raises:
        CheckpointError: there are more, or deeper ones.
    """
    waiting, seen = [(value, 0)], 0
    while waiting:
        node, depth = waiting.pop()
        seen += 1
        for entry in node.values() if isinstance(node, dict) else node:
            if isinstance(entry, (dict, list, tuple)):
                waiting.append((entry, depth + 1))
                if seen + len(waiting) > most or depth >= deepest:
                    raise CheckpointError(
                        f"{source}: its {part} is larger, or nested deeper, than any of the zoo"
                    )


def check_plain(value: Any, source: Any) -> None:
    """Refuse arguments that are anything but a few numbers, words and lists of them.

    Raises:
        CheckpointError: they are.
    """
    entries: Iterable[Any] = ()
    if isinstance(value, dict):
        entries = [*value.keys(), *value.values()]
    elif isinstance(value, (list, tuple)):
        entries = value
    elif isinstance(value, str) and len(value) > LONGEST:
        raise CheckpointError(f"{source}: its recipe has a text of {len(value):,} characters")
    elif type(value) is int and value.bit_length() > 63:
        raise CheckpointError(f"{source}: its recipe has a number of {value.bit_length():,} bits")
    elif value is not None and not isinstance(value, (str, bool, int, float)):
        kind = type(value).__name__
        raise CheckpointError(f"{source}: its recipe must be plain values, but has a {kind}")
    if isinstance(value, (dict, list, tuple)) and len(value) > LONGEST:
        raise CheckpointError(f"{source}: its recipe has {len(value):,} entries in a list")
    for entry in entries:
        check_plain(entry, source)


def check_dense(tensors: Mapping[str, Any], source: Any) -> None:
    """Refuse what is not an ordinary tensor in memory, or says that it is larger than it is.

    Raises:
        CheckpointError: one of them is none.
    """
    for key, tensor in tensors.items():
        if type(tensor) not in (Tensor, nn.Parameter):
            raise CheckpointError(
                f"{source}: the weights {short(key)} must be a tensor, got {type(tensor).__name__}"
            )
        dense = tensor.layout is torch.strided and tensor.device.type == "cpu"
        if not dense or tensor.is_quantized or tensor.is_nested:
            raise CheckpointError(f"{source}: the weights {short(key)} must be a dense tensor")
        if tensor.nbytes > tensor.untyped_storage().nbytes():
            raise CheckpointError(
                f"{source}: the weights {short(key)} say that they are larger than they are"
            )


def stored_bytes(tensors: Mapping[str, Tensor]) -> int:
    """The memory behind all tensors, where they share it counted once."""
    storages = [tensor.untyped_storage() for tensor in tensors.values()]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


def check_sizes(arguments: Mapping[str, Any], tensors: Mapping[str, Tensor], source: Any) -> None:
    """Refuse arguments of which the tensors show that they are not those of the net.

    Raises:
        CheckpointError: one asks for more than there is, or for weights that are elsewhere.
    """
    if arguments.get("weights") is not None:
        raise CheckpointError(f"{source}: its recipe asks to fetch weights from elsewhere")
    layers = max(len(tensors), 8)
    most = max(ALWAYS, *(side for tensor in tensors.values() for side in tensor.shape), 1)
    for name, value in arguments.items():
        if isinstance(value, (list, tuple)) and len(value) > layers:
            raise CheckpointError(
                f"{source}: its recipe has {len(value):,} entries of `{name}`, but only "
                f"{len(tensors)} tensors: it has been altered"
            )
        for number in numbers(value):
            if abs(number) > (layers if name in COUNTS else most):
                raise CheckpointError(
                    f"{source}: its recipe asks for `{name}` = {short(value)}, but its weights are "
                    f"{len(tensors)} tensors, none that large: it has been altered"
                )


def numbers(value: Any) -> Iterator[float]:
    """All numbers in nested lists and dictionaries."""
    if isinstance(value, (list, tuple)):
        for entry in value:
            yield from numbers(entry)
    elif isinstance(value, dict):
        yield from numbers(list(value.values()))
    elif isinstance(value, int):
        yield value


def check_tensors(net: nn.Module, tensors: Mapping[str, Tensor], source: Any) -> None:
    """Refuse tensors that are not exactly those of a net.

    Raises:
        CheckpointError: one is missing, too many, or of another shape or type.
    """
    wanted, twins = net.state_dict(), tied(net)
    faults = [f"{short(key)} is not of this net" for key in tensors if key not in wanted]
    faults += [
        f"{key} is missing"
        for key in wanted
        if key not in tensors and twins.get(key) not in tensors
    ]
    for key, tensor in tensors.items():
        if key not in wanted or faults:
            continue
        shape, given = tuple(wanted[key].shape), tuple(tensor.shape)
        kind = wanted[key].dtype
        if shape != given:
            faults.append(f"{key} must be of shape {shape}, got {given}")
        elif tensor.dtype not in (FLOATS if kind.is_floating_point else (kind,)):
            kinds = [str(t).removeprefix("torch.") for t in (kind, tensor.dtype)]
            faults.append(f"{key} must be {kinds[0]}, got {kinds[1]}")
        elif not same(tensor, tensors.get(twins.get(key, ""), tensor)):
            faults.append(f"{key} and {twins[key]} are one in this net, but differ")
    own = [tensor for key, tensor in tensors.items() if twins.get(key) not in tensors]
    if not faults and sum(tensor.nbytes for tensor in own) > stored_bytes(tensors):
        faults.append("some of them are one that are several in this net")
    if faults:
        more = f", and {len(faults) - 1:,} more" if len(faults) > 1 else ""
        raise CheckpointError(
            f"{source}: the weights do not fit their recipe: {faults[0][:200]}{more}"
        )


def same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are the same, bit for bit."""
    return one is other or (one.dtype == other.dtype and torch.equal(one, other))


def check_finite(tensors: Mapping[str, Tensor], source: Any) -> None:
    """Refuse weights with which a net can only give NaN.

    Raises:
        CheckpointError: they are infinite or NaN.
    """
    for key, tensor in tensors.items():
        if not bool(tensor.isfinite().all()):
            raise CheckpointError(f"{source}: the weights {short(key)} are not finite")


def tied(net: nn.Module) -> dict[str, str]:
    """Keys of the state whose tensor is that of an earlier key, and that key."""
    first: dict[int, str] = {}
    twins = {}
    for key, tensor in net.state_dict(keep_vars=True).items():
        earlier = first.setdefault(id(tensor), key)
        if earlier != key:
            twins[key] = earlier
    return twins


def short(value: Any) -> str:
    """What a file holds, as few words in a sentence."""
    text = repr(value) if isinstance(value, (str, int, float, list)) else type(value).__name__
    return text if len(text) <= 60 else text[:60] + "…"
