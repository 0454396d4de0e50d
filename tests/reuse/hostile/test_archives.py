"""Archives that grow, lead out of themselves, or are no checkpoint of today's torch."""

import warnings
import zipfile
from collections.abc import Callable
from operator import methodcaller
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

CASES: dict[str, tuple[Callable[[Any], Path], str]] = {}


def case(words: str) -> Callable[[Callable[[Any], Path]], None]:
    """Add what makes such a file from good ones, and words of the sentence about it."""
    return lambda make: CASES.update({make.__name__: (make, words)})


@case("damaged or not a checkpoint")
def an_archive_that_grows(good: Any) -> Path:
    """A storage of 320 MB of zeros, deflated to 1 MB."""
    file = good.checkpoint()
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
    make = methodcaller("rezipped", method=method)
    CASES[f"an_archive_compressed_by_{method}"] = (make, "is compressed")


@case("damaged or not a checkpoint")
def an_archive_that_leads_out(good: Any) -> Path:
    file = good.checkpoint()
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("../../evil.py", "print('it ran')")
    return file


@case("damaged or not a checkpoint")
def an_archive_whose_parts_lead_out(good: Any) -> Path:
    return good.rezipped(lambda name, content: (f"../{name}", content))


@case("damaged or not a checkpoint")
def an_archive_with_parts_that_overlap(good: Any) -> Path:
    """Two names for the same bytes, the second as large as the whole."""
    file = good.checkpoint()
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
def a_storage_that_claims_more_than_it_has(good: Any) -> Path:
    """What torch before 2.10 read from beyond the end of it."""

    def claim(name: str, content: bytes) -> tuple[str, bytes]:
        # The numbers 77 of elements: of the storage, and of the shape.
        return name, content.replace(b"K\x4d", b"J\x80\x96\x98\x00") if "pkl" in name else content

    return good.rezipped(claim, state={"net.head.weight": torch.zeros(77)})


@case("damaged or not a checkpoint")
def a_script_of_torch(good: Any) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(nn.Linear(2, 2)).save(str(good.place / "net.ckpt"))
    return good.place / "net.ckpt"


@case("damaged or not a checkpoint")
def the_oldest_format_of_torch(good: Any) -> Path:
    state = {"net.head.weight": torch.zeros(2, 4)}
    with open(good.place / "net.ckpt", "wb") as file:
        torch.save({"state_dict": state}, file, _use_new_zipfile_serialization=False)
    return good.place / "net.ckpt"


@pytest.mark.parametrize(("make", "words"), CASES.values(), ids=CASES)
def test_it_is_refused_and_nothing_else_happens(
    make: Callable[[Any], Path], words: str, good: Any, refused: Callable[[Path, str], None]
) -> None:
    refused(make(good), words)
