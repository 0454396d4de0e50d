"""Weights that are not what the net has, or not what they say."""

import json
import struct
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from zoo.models import FNN

CASES: dict[str, tuple[Callable[[Any], Path], str]] = {}


def case(words: str) -> Callable[[Callable[[Any], Path]], None]:
    """Add what makes such a file from good ones, and words of the sentence about it."""
    return lambda make: CASES.update({make.__name__: (make, words)})


HEAD = "head.weight"  # (2, 4)
BIG = [50_000, 50_000]  # of float32: 10 GB


def with_header(good: Any, header: Any, data: bytes = b"", size: int | None = None) -> Path:
    """A folder whose weights are what a header says that they are."""
    folder = good.folder()
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    length = struct.pack("<Q", len(text) if size is None else size)
    (folder / "model.safetensors").write_bytes(length + text + data)
    return folder


def entry(shape: list[int], start: int, end: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


@case("damaged or no safetensors")
def ten_gigabytes_in_a_header(good: Any) -> Path:
    return with_header(good, {HEAD: entry(BIG, 0, 10**10)}, bytes(100))


@case("damaged or no safetensors")
def ten_gigabytes_from_a_few_bytes(good: Any) -> Path:
    return with_header(good, {HEAD: entry(BIG, 0, 100)}, bytes(100))


@case("damaged or no safetensors")
def a_shape_that_overflows(good: Any) -> Path:
    return with_header(good, {HEAD: entry([2**32, 2**32, 2], 0, 0)})


@case("damaged or no safetensors")
def a_negative_shape(good: Any) -> Path:
    return with_header(good, {HEAD: entry([-2, -4], 0, 32)}, bytes(32))


@case("damaged or no safetensors")
def overlapping_tensors(good: Any) -> Path:
    return with_header(good, {"a": entry([4], 0, 16), "b": entry([4], 8, 24)}, bytes(24))


@case("damaged or no safetensors")
def tensors_out_of_the_file(good: Any) -> Path:
    return with_header(good, {HEAD: entry([2, 4], 1000, 1032)}, bytes(32))


@case("damaged or no safetensors")
def a_gap_between_tensors(good: Any) -> Path:
    return with_header(good, {"a": entry([4], 0, 16), "b": entry([4], 32, 48)}, bytes(48))


@case("a header of 9,223,372,036,854,775,808 bytes")
def a_header_without_end(good: Any) -> Path:
    return with_header(good, {}, size=2**63)


@case("a header of 90,000,000 bytes")
def a_header_of_90_megabytes(good: Any) -> Path:
    folder = with_header(good, b"", size=90_000_000)
    with open(folder / "model.safetensors", "r+b") as file:
        file.truncate(90_000_008)  # takes no room on the disk
    return folder


@case("damaged or no safetensors")
def a_header_that_is_nested(good: Any) -> Path:
    return with_header(good, b"[" * 1_000_000)


@case("damaged or no safetensors")
def a_header_that_is_none(good: Any) -> Path:
    return with_header(good, b"\xff" * 100)


@case("damaged or no safetensors")
def an_empty_file_of_weights(good: Any) -> Path:
    (good.folder() / "model.safetensors").write_bytes(b"")
    return good.place / "net"


@case("damaged or no safetensors")
def a_truncated_file_of_weights(good: Any) -> Path:
    file = good.folder() / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-40])
    return good.place / "net"


@case("'../../x' is not of this net")
def a_path_for_the_name_of_a_tensor(good: Any) -> Path:
    return good.with_tensors(**{"../../x": torch.zeros(1)})


@case("is not of this net, and 1,999 more")
def two_thousand_tensors_too_many(good: Any) -> Path:
    return good.with_tensors(**{f"\n{i} " + "x" * 500: torch.zeros(1) for i in range(2_000)})


@case("'__class__' is not of this net")
def a_tensor_for_a_class(good: Any) -> Path:
    return good.with_tensors(__class__=torch.zeros(1))


@case("head.bias is missing")
def a_missing_tensor(good: Any) -> Path:
    return good.with_tensors(**{"head.bias": None})


@case("no safetensors|is missing")
def no_tensors(good: Any) -> Path:
    return with_header(good, {})


@case(r"must be of shape \(2, 4\), got \(4, 2\)")
def a_transposed_tensor(good: Any) -> Path:
    return good.with_tensors(**{HEAD: torch.zeros(4, 2)})


@case(r"must be of shape \(2, 4\), got \(8,\)")
def a_flat_tensor(good: Any) -> Path:
    return good.with_tensors(**{HEAD: torch.zeros(8)})


def of_type(good: Any, dtype: torch.dtype) -> Path:
    return good.with_tensors(**{HEAD: torch.zeros(2, 4).to(dtype)})


TYPES = [torch.int64, torch.bool, torch.uint8, torch.complex64, torch.float8_e4m3fn]
for dtype in TYPES:
    name = str(dtype).removeprefix("torch.")
    CASES[f"weights_of_{name}"] = (
        partial(of_type, dtype=dtype),
        f"must be float32, got {name}",
    )


@case("num_batches_tracked must be int64, got float32")
def a_count_that_is_no_whole_number(good: Any) -> Path:
    net = FNN(3, 2, hidden=[4], norm="batch")
    return good.with_tensors(net, **{"layers.1.num_batches_tracked": torch.tensor(0.5)})


@case("'head.weight' are not finite")
def nan_weights(good: Any) -> Path:
    return good.with_tensors(**{HEAD: torch.full((2, 4), float("nan"))})


@case("'head.bias' are not finite")
def infinite_weights(good: Any) -> Path:
    return good.with_tensors(**{"head.bias": torch.tensor([0.0, float("inf")])})


@case("'head.bias' are not finite")
def nan_weights_of_a_checkpoint(good: Any) -> Path:
    return good.checkpoint(state={"net.head.bias": torch.tensor([0.0, float("nan")])})


@case("say that they are larger than they are")
def ten_gigabytes_from_one_number(good: Any) -> Path:
    return good.checkpoint(state={f"net.{HEAD}": torch.zeros(1).expand(*BIG)})


@case("some of them are one that are several in this net")
def a_deep_net_from_one_matrix(good: Any) -> Path:
    """A file of 4 MB for a net of 400 MB."""
    with torch.device("meta"):
        net = FNN(1000, 1000, hidden=[1000] * 99)
    one = torch.zeros(1000, 1000)
    state = {f"net.{k}": one if v.ndim == 2 else one[0] for k, v in net.state_dict().items()}
    recipe = {"format": 1, "net": "FNN", "arguments": dict(net.arguments), "config": {}}
    torch.save({"state_dict": state, "zoo": recipe}, good.place / "net.ckpt")
    return good.place / "net.ckpt"


def odd_tensor(good: Any, make: Callable[[], torch.Tensor]) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is only now being tried out, says torch
        return good.checkpoint(state={f"net.{HEAD}": make()})


ODD: dict[str, Callable[[], torch.Tensor]] = {
    "sparse": lambda: torch.zeros(2, 4).to_sparse(),
    "sparse_rows": lambda: torch.zeros(2, 4).to_sparse_csr(),
    "nowhere": lambda: torch.zeros(2, 4, device="meta"),
    "quantized": lambda: torch.quantize_per_tensor(torch.zeros(2, 4), 0.1, 0, torch.qint8),
    "nested": lambda: torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)]),
}
for name, make in ODD.items():
    CASES[f"{name}_weights"] = (partial(odd_tensor, make=make), "must be a|damaged")


@pytest.mark.parametrize(("make", "words"), CASES.values(), ids=CASES)
def test_it_is_refused_and_nothing_else_happens(
    make: Callable[[Any], Path], words: str, good: Any, refused: Callable[[Path, str], None]
) -> None:
    refused(make(good), words)
