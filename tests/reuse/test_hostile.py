"""Files made to do harm: each is refused with one sentence, and nothing else happens.

Python reports what it is asked to do (PEP 578): while such a file is read, nothing is imported,
executed, connected to, or written, and neither time nor memory is spent.
"""

import json
import os
import pickle
import signal
import struct
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import zoo
from zoo.assembly import CheckpointError
from zoo.models import CNN, FNN, LSTM, ResNet

SECONDS, MEGABYTES = 5, 200
CASES: dict[str, tuple[Callable[[Path], Path], str]] = {}


def case(words: str) -> Callable[[Callable[[Path], Path]], Callable[[Path], Path]]:
    """Add what makes such a file, in a folder of its own, and words of the sentence about it."""

    def add(make: Callable[[Path], Path]) -> Callable[[Path], Path]:
        CASES[make.__name__] = (make, words)
        return make

    return add


# --- good files, to be spoilt ----------------------------------------------------------------


def folder_of(place: Path, base: nn.Module | None = None) -> Path:
    """A folder without the checksum, as whoever does harm would leave it out."""
    folder = zoo.save(FNN(3, 2, hidden=[4]) if base is None else base, place / "net")
    config = json.loads((folder / "config.json").read_text())
    del config["weights_sha256"]
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def with_config(place: Path, **changes: Any) -> Path:
    """A folder whose config says something else."""
    folder = folder_of(place)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))
    return folder


def with_arguments(place: Path, base: nn.Module | None = None, /, **changes: Any) -> Path:
    """A folder whose recipe has other arguments."""
    folder = folder_of(place, base)
    config = json.loads((folder / "config.json").read_text())
    config["arguments"] |= changes
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def with_text(place: Path, word: str) -> Path:
    """A folder whose config has this in place of a number, as Python would not write it."""
    file = with_arguments(place, in_features=123456) / "config.json"
    file.write_text(file.read_text().replace("123456", word))
    return file.parent


def with_tensors(place: Path, **changes: torch.Tensor | None) -> Path:
    """A folder with other weights."""
    folder = folder_of(place)
    tensors = {**load_file(folder / "model.safetensors"), **changes}
    kept = {key: value for key, value in tensors.items() if value is not None}
    save_file(kept, folder / "model.safetensors")
    return folder


def with_header(place: Path, header: Any, data: bytes = b"", size: int | None = None) -> Path:
    """A folder whose weights are what a header says that they are."""
    folder = folder_of(place)
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    length = struct.pack("<Q", len(text) if size is None else size)
    (folder / "model.safetensors").write_bytes(length + text + data)
    return folder


def checkpoint(place: Path, **changes: Any) -> Path:
    """A checkpoint whose recipe says something else, or that has another "state"."""
    net = FNN(3, 2, hidden=[4])
    recipe = {
        "format": 1,
        "net": type(net).__name__,
        "arguments": dict(net.arguments),
        "config": {"choices": {"model": "fnn", "data": "iris"}},
    }
    state = {f"net.{key}": value for key, value in net.state_dict().items()}
    state |= changes.pop("state", {})
    torch.save({"state_dict": state, "zoo": recipe | changes}, place / "net.ckpt")
    return place / "net.ckpt"


def rezipped(
    file: Path, change: Callable[[str, bytes], tuple[str, bytes]], method: int = zipfile.ZIP_STORED
) -> Path:
    """The same archive with other parts, stored in another way."""
    with zipfile.ZipFile(file) as archive:
        parts = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in parts:
            archive.writestr(*change(name, content))
    return file


def test_the_good_ones_load(tmp_path: Path) -> None:
    for make in (folder_of, with_config, with_arguments, with_tensors, checkpoint):
        assert isinstance(zoo.load(make(tmp_path)), FNN)
    same = rezipped(checkpoint(tmp_path), lambda name, content: (name, content))
    assert isinstance(zoo.load(same), FNN)


# --- pickles ---------------------------------------------------------------------------------


class Payload:
    """Unpickled, it would make a folder."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, ("it ran",)


@case("model.safetensors is damaged or no safetensors")
def pickle_as_safetensors(place: Path) -> Path:
    (folder_of(place) / "model.safetensors").write_bytes(pickle.dumps(Payload()))
    return place / "net"


@case("config.json cannot be read")
def pickle_as_config(place: Path) -> Path:
    (folder_of(place) / "config.json").write_bytes(pickle.dumps(Payload()))
    return place / "net"


@case("has no config.json|no run folder")
def pickle_beside_no_config(place: Path) -> Path:
    (folder_of(place) / "config.json").rename(place / "net" / "pytorch_model.bin")
    return place / "net"


@case("damaged or not a checkpoint")
def pickle_in_the_weights(place: Path) -> Path:
    return checkpoint(place, state={"net.head.weight": Payload()})


@case("damaged or not a checkpoint")
def class_in_the_recipe(place: Path) -> Path:
    return checkpoint(place, arguments={"in_features": Payload})


@case("must be a tensor")
def storage_for_a_tensor(place: Path) -> Path:
    return checkpoint(place, state={"net.head.weight": [1.0, 2.0]})


@case("damaged or not a checkpoint")
def pickle_with_an_archive_behind_it(place: Path) -> Path:
    """What torch would read as it read its oldest files, and a zip reader as an archive."""
    file = checkpoint(place)
    file.write_bytes(pickle.dumps(Payload()) + file.read_bytes())
    return file


# --- names and arguments ---------------------------------------------------------------------

NAMES = ["os.system", "torch.load", "nn.Linear", "generate", "Recurrence", "__class__", "__all__"]
NAMES += ["zoo.models.FNN", "FNN\n", "", "F" * 100_000]


for number, odd in enumerate([*NAMES, None, {"a": 1}, ["FNN"], 3, True]):
    CASES[f"name_{number}"] = (partial(with_config, net=odd), "that is not one of zoo.models")
for number, odd in enumerate([None, [3, 2], "in_features=3", 3]):
    CASES[f"arguments_{number}"] = (partial(with_config, arguments=odd), "named arguments")


@case("config.json cannot be read")
def nested_without_end(place: Path) -> Path:
    text = '{"format": 1, "net": "FNN", "arguments": ' + "[" * 100_000 + "]" * 100_000 + "}"
    (folder_of(place) / "config.json").write_text(text)
    return place / "net"


@case("nested deeper")
def nested_as_deep_as_json_allows(place: Path) -> Path:
    deep: Any = 1
    for _ in range(300):
        deep = [deep]
    return with_arguments(place, hidden=deep)


@case("`hidden_size` = 1000000000, but its weights are 6 tensors")
def a_billion_units(place: Path) -> Path:
    return with_arguments(place, LSTM(3, 2, hidden_size=4), hidden_size=10**9)


@case("`num_layers` = 1000000000")
def a_billion_layers(place: Path) -> Path:
    return with_arguments(place, LSTM(3, 2, hidden_size=4), num_layers=10**9)


@case("`depth` = 600000002")
def a_hundred_million_blocks(place: Path) -> Path:
    return with_arguments(place, ResNet(1, 2, depth=8, width=1), depth=6 * 10**8 + 2)


@case("1,048,576 are allowed")
def ten_million_layers(place: Path) -> Path:
    return with_text(place, "[1" + ",1" * 10**7 + "]")


@case("100,000 entries")
def a_hundred_thousand_layers(place: Path) -> Path:
    return with_arguments(place, hidden=[1] * 100_000)


@case("1,000 entries of `hidden`, but only 4 tensors")
def a_thousand_layers(place: Path) -> Path:
    return with_arguments(place, hidden=[1] * 1_000)


@case("`in_shape` = ")
def a_huge_picture(place: Path) -> Path:
    return with_arguments(place, CNN((1, 8, 8), 2, channels=(2,)), in_shape=[1, 10**9, 10**9])


@case(r"must be of shape \(2, 120\)")
def as_large_as_the_file_allows(place: Path) -> Path:
    """Nothing that the size of the file would give away."""
    return with_arguments(place, hidden=[120])


@case("a number of 3,322 bits")
def a_number_of_a_thousand_digits(place: Path) -> Path:
    return with_arguments(place, in_features=10**1000 - 1)


@case("config.json cannot be read")
def a_number_of_ten_thousand_digits(place: Path) -> Path:
    return with_text(place, "9" * 10_000)


@case("`in_features` must be")
def a_number_that_is_infinite_by_overflow(place: Path) -> Path:
    return with_text(place, "1e999")


@case("NaN is no number")
def nan_in_the_config(place: Path) -> Path:
    return with_arguments(place, dropout=float("nan"))


@case("a text of 200,000 characters")
def a_long_word(place: Path) -> Path:
    return with_arguments(place, activation="relu" * 50_000)


@case("cannot be built from its recipe")
def an_argument_that_there_is_not(place: Path) -> Path:
    return with_arguments(place, **{"__class__": "os.system", "self": 1})


@case("cannot be built from its recipe: `activation`")
def a_path_for_an_activation(place: Path) -> Path:
    return with_arguments(place, activation="torch.load")


def of_torchvision(place: Path, **changes: Any) -> Path:
    pytest.importorskip("torchvision.models")  # which a good one imports as well
    arguments = {"in_channels": 3, "out_features": 2, "name": "resnet18", "weights": None}
    return with_config(place, net="Torchvision", arguments=arguments | changes)


@case("asks to fetch weights from elsewhere")
def weights_of_the_internet(place: Path) -> Path:
    return of_torchvision(place, weights="DEFAULT")


for odd in ("vit_h_14", "regnet_y_128gf", "googlenet"):  # up to 650 million parameters
    CASES[f"{odd}_in_a_few_bytes"] = (partial(of_torchvision, name=odd), "do not fit their recipe")


@case("do not fit their recipe")
def a_million_channels(place: Path) -> Path:
    return of_torchvision(place, in_channels=1_000_000)


@case("`name` must be")
def a_path_for_a_model_of_torchvision(place: Path) -> Path:
    return of_torchvision(place, name="torchvision.models.resnet18")


# --- tensors ---------------------------------------------------------------------------------

HEAD = "head.weight"  # (2, 4)
BIG = [50_000, 50_000]  # of float32: 10 GB


def entry(shape: list[int], start: int, end: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


@case("damaged or no safetensors")
def ten_gigabytes_in_a_header(place: Path) -> Path:
    return with_header(place, {HEAD: entry(BIG, 0, 10**10)}, bytes(100))


@case("damaged or no safetensors")
def ten_gigabytes_from_a_few_bytes(place: Path) -> Path:
    return with_header(place, {HEAD: entry(BIG, 0, 100)}, bytes(100))


@case("damaged or no safetensors")
def a_shape_that_overflows(place: Path) -> Path:
    return with_header(place, {HEAD: entry([2**32, 2**32, 2], 0, 0)})


@case("damaged or no safetensors")
def a_negative_shape(place: Path) -> Path:
    return with_header(place, {HEAD: entry([-2, -4], 0, 32)}, bytes(32))


@case("damaged or no safetensors")
def overlapping_tensors(place: Path) -> Path:
    return with_header(place, {"a": entry([4], 0, 16), "b": entry([4], 8, 24)}, bytes(24))


@case("damaged or no safetensors")
def tensors_out_of_the_file(place: Path) -> Path:
    return with_header(place, {HEAD: entry([2, 4], 1000, 1032)}, bytes(32))


@case("damaged or no safetensors")
def a_gap_between_tensors(place: Path) -> Path:
    return with_header(place, {"a": entry([4], 0, 16), "b": entry([4], 32, 48)}, bytes(48))


@case("a header of 9,223,372,036,854,775,808 bytes")
def a_header_without_end(place: Path) -> Path:
    return with_header(place, {}, size=2**63)


@case("a header of 90,000,000 bytes")
def a_header_of_90_megabytes(place: Path) -> Path:
    folder = with_header(place, b"", size=90_000_000)
    with open(folder / "model.safetensors", "r+b") as file:
        file.truncate(90_000_008)  # takes no room on the disk
    return folder


@case("damaged or no safetensors")
def a_header_that_is_nested(place: Path) -> Path:
    return with_header(place, b"[" * 1_000_000)


@case("damaged or no safetensors")
def a_header_that_is_none(place: Path) -> Path:
    return with_header(place, b"\xff" * 100)


@case("damaged or no safetensors")
def an_empty_file_of_weights(place: Path) -> Path:
    (folder_of(place) / "model.safetensors").write_bytes(b"")
    return place / "net"


@case("damaged or no safetensors")
def a_truncated_file_of_weights(place: Path) -> Path:
    file = folder_of(place) / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-40])
    return place / "net"


@case("'../../x' is not of this net")
def a_path_for_the_name_of_a_tensor(place: Path) -> Path:
    return with_tensors(place, **{"../../x": torch.zeros(1)})


@case("is not of this net, and 1,999 more")
def two_thousand_tensors_too_many(place: Path) -> Path:
    return with_tensors(place, **{f"\n{i} " + "x" * 500: torch.zeros(1) for i in range(2_000)})


@case("'__class__' is not of this net")
def a_tensor_for_a_class(place: Path) -> Path:
    return with_tensors(place, __class__=torch.zeros(1))


@case("head.bias is missing")
def a_missing_tensor(place: Path) -> Path:
    return with_tensors(place, **{"head.bias": None})


@case("no safetensors|is missing")
def no_tensors(place: Path) -> Path:
    return with_header(place, {})


@case(r"must be of shape \(2, 4\), got \(4, 2\)")
def a_transposed_tensor(place: Path) -> Path:
    return with_tensors(place, **{HEAD: torch.zeros(4, 2)})


@case(r"must be of shape \(2, 4\), got \(8,\)")
def a_flat_tensor(place: Path) -> Path:
    return with_tensors(place, **{HEAD: torch.zeros(8)})


def of_type(place: Path, dtype: torch.dtype) -> Path:
    return with_tensors(place, **{HEAD: torch.zeros(2, 4).to(dtype)})


TYPES = [torch.int64, torch.bool, torch.uint8, torch.complex64, torch.float8_e4m3fn]
for dtype in TYPES:
    name = str(dtype).removeprefix("torch.")
    CASES[f"weights_of_{name}"] = (
        partial(of_type, dtype=dtype),
        f"must be float32, got {name}",
    )


@case("num_batches_tracked must be int64, got float32")
def a_count_that_is_no_whole_number(place: Path) -> Path:
    folder = folder_of(place, FNN(3, 2, hidden=[4], norm="batch"))
    tensors = load_file(folder / "model.safetensors")
    tensors["layers.1.num_batches_tracked"] = torch.tensor(0.5)
    save_file(tensors, folder / "model.safetensors")
    return folder


@case("'head.weight' are not finite")
def nan_weights(place: Path) -> Path:
    return with_tensors(place, **{HEAD: torch.full((2, 4), float("nan"))})


@case("'head.bias' are not finite")
def infinite_weights(place: Path) -> Path:
    return with_tensors(place, **{"head.bias": torch.tensor([0.0, float("inf")])})


@case("'head.bias' are not finite")
def nan_weights_of_a_checkpoint(place: Path) -> Path:
    return checkpoint(place, state={"net.head.bias": torch.tensor([0.0, float("nan")])})


@case("say that they are larger than they are")
def ten_gigabytes_from_one_number(place: Path) -> Path:
    return checkpoint(place, state={f"net.{HEAD}": torch.zeros(1).expand(*BIG)})


@case("some of them are one that are several in this net")
def a_deep_net_from_one_matrix(place: Path) -> Path:
    """A file of 4 MB for a net of 400 MB."""
    with torch.device("meta"):
        net = FNN(1000, 1000, hidden=[1000] * 99)
    one = torch.zeros(1000, 1000)
    state = {f"net.{k}": one if v.ndim == 2 else one[0] for k, v in net.state_dict().items()}
    recipe = {"format": 1, "net": "FNN", "arguments": dict(net.arguments), "config": {}}
    torch.save({"state_dict": state, "zoo": recipe}, place / "net.ckpt")
    return place / "net.ckpt"


def odd_tensor(place: Path, make: Callable[[], torch.Tensor]) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is only now being tried out, says torch
        return checkpoint(place, state={f"net.{HEAD}": make()})


ODD: dict[str, Callable[[], torch.Tensor]] = {
    "sparse": lambda: torch.zeros(2, 4).to_sparse(),
    "sparse_rows": lambda: torch.zeros(2, 4).to_sparse_csr(),
    "nowhere": lambda: torch.zeros(2, 4, device="meta"),
    "quantized": lambda: torch.quantize_per_tensor(torch.zeros(2, 4), 0.1, 0, torch.qint8),
    "nested": lambda: torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)]),
}
for name, make in ODD.items():
    CASES[f"{name}_weights"] = (partial(odd_tensor, make=make), "must be a|damaged")


# --- pickles that hold no code ---------------------------------------------------------------


def with_recipe(place: Path, recipe: Any, part: str) -> Path:
    """A checkpoint in which a list without end is the config, the preprocessing or an argument."""
    if part == "arguments":
        return checkpoint(place, arguments={"in_features": 3, "out_features": 2, "hidden": recipe})
    return checkpoint(place, **{"format": 2, part: {"choices": recipe, "input": recipe}})


def list_in_itself() -> list[Any]:
    endless: list[Any] = []
    endless.append(endless)
    return endless


def list_of_doubles() -> list[Any]:
    """2^60 numbers in 60 lists of two."""
    doubles: list[Any] = [1, 1]
    for _ in range(59):
        doubles = [doubles, doubles]
    return doubles


def list_of_wide_lists() -> list[Any]:
    """10^12 lists in four of a thousand."""
    wide: list[Any] = []
    for _ in range(4):
        wide = [wide] * 1_000
    return wide


for part in ("arguments", "config", "preprocessing"):
    for endless in (list_in_itself, list_of_doubles, list_of_wide_lists):
        CASES[f"{endless.__name__}_for_{part}"] = (
            lambda place, make=endless, part=part: with_recipe(place, make(), part),
            "larger, or nested deeper",
        )


@case("a number of 2,001 bits")
def a_number_of_two_thousand_bits(place: Path) -> Path:
    return checkpoint(place, arguments={"in_features": 2**2_000})


@case("must be plain values, but has a Tensor")
def a_tensor_for_an_argument(place: Path) -> Path:
    return checkpoint(place, arguments={"in_features": torch.zeros(3)})


@case("has format")
def a_tensor_for_a_format(place: Path) -> Path:
    return checkpoint(place, format=torch.ones(3))


@case("that is not one of zoo.models")
def a_tensor_for_a_name(place: Path) -> Path:
    return checkpoint(place, net=torch.ones(3))


@case("cannot be built from its recipe")
def numbers_for_the_names_of_arguments(place: Path) -> Path:
    return checkpoint(place, arguments={1: 2})


# --- archives --------------------------------------------------------------------------------


@case("damaged or not a checkpoint")
def an_archive_that_grows(place: Path) -> Path:
    """A storage of 320 MB of zeros, deflated to 1 MB."""
    file = checkpoint(place)
    with zipfile.ZipFile(file) as archive:
        parts = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in parts:
            if not name.endswith("/data/0"):
                archive.writestr(name, content)
                continue
            with archive.open(name, "w", force_zip64=True) as entry:
                for _ in range(20):
                    entry.write(bytes(1 << 24))
    return file


for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
    CASES[f"an_archive_compressed_by_{method}"] = (
        lambda place, method=method: rezipped(checkpoint(place), lambda *part: part, method),
        "is compressed",
    )


@case("damaged or not a checkpoint")
def an_archive_that_leads_out(place: Path) -> Path:
    file = checkpoint(place)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("../../evil.py", "print('it ran')")
    return file


@case("damaged or not a checkpoint")
def an_archive_whose_parts_lead_out(place: Path) -> Path:
    return rezipped(checkpoint(place), lambda name, content: (f"../{name}", content))


@case("damaged or not a checkpoint")
def an_archive_with_parts_that_overlap(place: Path) -> Path:
    """Two names for the same bytes, the second as large as the whole."""
    file = checkpoint(place)
    with zipfile.ZipFile(file, "a") as archive:
        first = archive.infolist()[0]
        for number in range(2_000):
            twin = zipfile.ZipInfo(f"net/data/{100 + number}")
            twin.header_offset, twin.CRC = first.header_offset, first.CRC
            twin.file_size = twin.compress_size = first.file_size
            archive.filelist.append(twin)
        archive._didModify = True
    return file


@case("damaged or not a checkpoint")
def a_storage_that_claims_more_than_it_has(place: Path) -> Path:
    """What torch before 2.10 read from beyond the end of it."""
    file = checkpoint(place, state={f"net.{HEAD}": torch.zeros(77)})

    def claim(name: str, content: bytes) -> tuple[str, bytes]:
        # The numbers 77 of elements: of the storage, and of the shape.
        return name, content.replace(b"K\x4d", b"J\x80\x96\x98\x00") if "pkl" in name else content

    return rezipped(file, claim)


@case("damaged or not a checkpoint")
def a_script_of_torch(place: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(nn.Linear(2, 2)).save(str(place / "net.ckpt"))
    return place / "net.ckpt"


@case("damaged or not a checkpoint")
def the_oldest_format_of_torch(place: Path) -> Path:
    state = {f"net.{HEAD}": torch.zeros(2, 4)}
    with open(place / "net.ckpt", "wb") as file:
        torch.save({"state_dict": state}, file, _use_new_zipfile_serialization=False)
    return place / "net.ckpt"


# --- links, and what is no file --------------------------------------------------------------


def linked(place: Path, name: str, target: str) -> Path:
    folder = folder_of(place)
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(target)
    return folder


for name in ("config.json", "model.safetensors", "preprocessing.json"):
    CASES[f"{name}_in_etc"] = (
        partial(linked, name=name, target="/etc/passwd"),
        "leads out of the folder",
    )
    CASES[f"{name}_two_folders_up"] = (
        partial(linked, name=name, target="../../outside"),
        "leads out of the folder|no run folder|has no ",
    )


def two_folders_up(place: Path, name: str) -> Path:
    """As in the cache of a hub, but to what is not its own."""
    other = place / "other"
    zoo.save(FNN(3, 2, hidden=[4]), other)
    folder = place / "snapshots" / "net"
    zoo.save(FNN(3, 2, hidden=[4]), folder)
    (folder / name).unlink()
    (folder / name).symlink_to(other / name)
    return folder


for name in ("config.json", "model.safetensors"):
    CASES[f"{name}_of_another_model"] = (
        partial(two_folders_up, name=name),
        "leads out of the folder",
    )


def pipe(place: Path, name: str) -> Path:
    """Reading it would wait for ever."""
    folder = folder_of(place)
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    return folder


def directory(place: Path, name: str) -> Path:
    folder = folder_of(place)
    (folder / name).unlink(missing_ok=True)
    (folder / name).mkdir()
    return folder


for name in ("config.json", "model.safetensors", "preprocessing.json"):
    for make in (pipe, directory):
        CASES[f"{make.__name__}_for_{name}"] = (
            partial(make, name=name),
            "has no |no run folder",
        )


@case("there is no checkpoint")
def pipe_for_a_checkpoint(place: Path) -> Path:
    os.mkfifo(place / "net.ckpt")
    return place / "net.ckpt"


# --- preprocessing, and files that are too large ---------------------------------------------


@case("config.json is 2,097,15. bytes large, 1,048,576 are allowed")
def a_config_of_two_megabytes(place: Path) -> Path:
    file = folder_of(place) / "config.json"
    file.write_text(file.read_text() + " " * (2 * 1024 * 1024 - file.stat().st_size))
    return file.parent


@case("preprocessing.json is 10,000,000,000 bytes large")
def preprocessing_of_ten_gigabytes(place: Path) -> Path:
    with open(folder_of(place) / "preprocessing.json", "wb") as file:
        file.truncate(10**10)  # takes no room on the disk
    return place / "net"


@case("config.json cannot be read")
def a_config_in_another_encoding(place: Path) -> Path:
    file = folder_of(place) / "config.json"
    file.write_text(file.read_text(), encoding="utf-16")
    return file.parent


@case("config.json must hold an object, got list")
def a_config_that_is_a_list(place: Path) -> Path:
    (folder_of(place) / "config.json").write_text("[]")
    return place / "net"


PREPROCESSING: list[Any] = [
    *({}, {"input": "os.system"}, {"input": {"kind": "torch.load"}, "output": {"kind": "classes"}}),
    {"input": {"kind": "image", "size": [10**9, 10**9]}, "output": {"kind": "classes"}},
    {"_target_": "os.system", "input": {}, "output": {}},
]
for number, odd in enumerate(PREPROCESSING):

    def preprocessed(place: Path, odd: Any = odd) -> Path:
        (folder_of(place) / "preprocessing.json").write_text(json.dumps(odd))
        return place / "net"

    CASES[f"preprocessing_{number}"] = (preprocessed, "its preprocessing cannot be used: ")


for number, odd in enumerate(["0" * 64, "", 5, True, ["0"], {"a": 1}, "\x00" * 100_000]):
    CASES[f"checksum_{number}"] = (
        partial(with_config, weights_sha256=odd),
        r"model\.safetensors is damaged, or not what was written with config\.json: fetch or save",
    )


# --- what each of them does ------------------------------------------------------------------

DEEDS = ("os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "pty.spawn", "ctypes.dlopen")
DEEDS += ("socket.connect", "socket.getaddrinfo", "socket.bind", "urllib.Request")
DEEDS += ("os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.chmod", "os.link", "os.symlink")
DEEDS += ("shutil.rmtree", "shutil.move", "shutil.copyfile", "tempfile.mkstemp", "tempfile.mkdtemp")
watched: list[str] | None = None


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    if watched is None:
        return
    if event in DEEDS or event == "import":
        watched.append(f"{event} {arguments[0]!r}")
    elif event == "open" and (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        watched.append(f"write {arguments[0]!r}")


@pytest.fixture(scope="module", autouse=True)
def hooked(tmp_path_factory: pytest.TempPathFactory) -> None:
    """From now on Python reports; it cannot be told to stop, only not be listened to."""
    for good in (folder_of, checkpoint):  # these bring all modules that reading takes
        zoo.load(good(tmp_path_factory.mktemp("good")))
    sys.addaudithook(watch)


def give_up(*_: Any) -> None:
    pytest.fail(f"it took longer than {SECONDS} s")


@contextmanager
def observed() -> Iterator[list[str]]:
    """What is done meanwhile, which may not wait for ever."""
    global watched
    deeds: list[str] = []
    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    watched = deeds
    try:
        yield deeds
    finally:
        watched = None
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def peak(reset: bool = False) -> int:
    """Bytes that this process held at most since the last reset; 0 where Linux does not say."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return 1024 * int(next(line for line in status.splitlines() if "VmHWM" in line).split()[1])


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("name", CASES)
def test_it_is_refused_and_nothing_else_happens(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, words = CASES[name]
    place = tmp_path / "hostile"
    place.mkdir()
    path = make(place)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    before = sorted(tmp_path.rglob("*"))

    held = peak(reset=True)
    with observed() as deeds, pytest.raises(CheckpointError, match=words) as caught:
        zoo.load(path)
    assert peak() - held < MEGABYTES * 2**20
    message = str(caught.value)
    assert str(place) in message and "\n" not in message and len(message) < 1_000
    assert [deed for deed in deeds if not deed.startswith("import 'zoo.pre")] == []
    assert sorted(tmp_path.rglob("*")) == before


def test_the_watch_sees_what_it_must(tmp_path: Path) -> None:
    with observed() as deeds:
        os.mkdir(tmp_path / "it ran")
        (tmp_path / "file").write_text("x")
        os.system("true")
        with pytest.raises(OSError):
            __import__("socket").create_connection(("127.0.0.1", 9), timeout=1)
    assert [deed.split()[0] for deed in deeds if "import" not in deed] == [
        "os.mkdir",
        "write",
        "os.system",
        "socket.getaddrinfo",
        "socket.connect",
    ]


def test_the_watch_sees_memory_that_was_given_back() -> None:
    held = peak(reset=True)
    if not held:
        pytest.skip("only Linux tells how much memory there was at most")
    torch.ones(80_000_000)
    assert peak() - held > MEGABYTES * 2**20


def test_the_watch_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "SECONDS", 0.1)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(pytest.fail.Exception, match="longer than"), observed():
        (tmp_path / "pipe").read_bytes()


def test_there_are_many() -> None:
    assert len(CASES) > 130
