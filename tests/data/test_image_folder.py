"""A folder of images."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from zoo.data.folder import ImageFolder

RED, GREEN, BLUE = (200, 10, 30), (10, 220, 20), (0, 40, 250)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Ten pictures of plain colour in each of two classes, none of them square."""
    for name, colour in (("rose", RED), ("leaf", GREEN)):
        (tmp_path / "photos" / name / "deeper").mkdir(parents=True)
        for index in range(10):
            place = tmp_path / "photos" / name / ("deeper" if index % 2 else ".")
            Image.new("RGB", (12, 8 + index), colour).save(place / f"{index}.png")
    (tmp_path / "photos" / "notes.txt").write_text("no image")
    (tmp_path / "photos" / "rose" / "notes.txt").write_text("no image")
    return tmp_path / "photos"


def ready(path: Path, **settings) -> ImageFolder:
    data = ImageFolder(path=str(path), view="image", scaling="none", **settings)
    data.setup()
    return data


def test_a_class_is_a_subfolder(photos: Path) -> None:
    data = ready(photos, size=4)
    assert data.class_names == ["leaf", "rose"]
    assert [len(split.x) for split in data.splits.values()] == [14, 2, 4]
    for split in data.splits.values():
        for image, label in zip(split.x, split.y, strict=True):
            colour = torch.tensor([GREEN, RED][int(label)], dtype=torch.uint8)
            assert torch.equal(image, colour[:, None, None].expand(3, 4, 4))
    assert data.facts["in_shape"] == [3, 4, 4] and data.facts["range"] == [10.0, 220.0]


def test_a_test_folder_stays_as_it_is(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "test" / "rose").mkdir(parents=True)
    for index in range(3):
        Image.new("RGB", (5, 5), BLUE).save(tmp_path / "test" / "rose" / f"{index}.jpg")
    data = ready(photos, test_path=str(tmp_path / "test"), size=4)
    assert [len(split.x) for split in data.splits.values()] == [18, 2, 3]
    assert data.splits["test"].y.tolist() == [1, 1, 1]
    (tmp_path / "test" / "tulip").mkdir()
    with pytest.raises(ValueError, match="tulip is a class that .* has not"):
        ready(photos, test_path=str(tmp_path / "test"))


@pytest.mark.parametrize("fit", ["crop", "stretch"])
def test_crop_keeps_the_middle_and_stretch_keeps_all(fit: str, photos: Path) -> None:
    # Left half black, the middle third white, right black.
    pixels = np.zeros((6, 18, 3), np.uint8)
    pixels[:, 6:12] = 255
    for file in photos.rglob("*.png"):
        Image.fromarray(pixels).save(file)
    image = ready(photos, size=6, fit=fit).splits["train"].x[0, 0]
    row = [255] * 6 if fit == "crop" else [0, 0, 255, 255, 0, 0]
    # Smoothing blurs the edges a little.
    assert (image.int() - torch.tensor(row)).abs().max() < 70
    assert image.float().mean() == pytest.approx(sum(row) / 6, abs=5)


def test_grey_is_the_luminance(photos: Path) -> None:
    data = ready(photos, size=4, channels=1)
    train = data.splits["train"]
    red, green, blue = RED  # ITU-R 601
    expected = 0.299 * red + 0.587 * green + 0.114 * blue
    roses = train.x[train.y == 1].float()
    assert train.x.shape[1:] == (1, 4, 4) and roses.mean() == pytest.approx(expected, abs=1)


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "RGBA", "CMYK", "I;16"])
def test_every_usual_mode_is_read(mode: str, photos: Path) -> None:
    if mode == "I;16":
        image = Image.fromarray(np.full((5, 5), 0x80FF, np.uint16))
    else:
        image = Image.new("RGB", (5, 5), (128, 128, 128))
        image = image.quantize(4) if mode == "P" else image.convert(mode, dither=0)
    if mode == "P":
        image.info["transparency"] = bytes([0] * 4)
    for file in list(photos.rglob("*.png")):
        image.save(file.with_suffix(".tif" if mode == "CMYK" else ".png"))
        if mode == "CMYK":
            file.unlink()
    values = ready(photos, size=5).splits["train"].x
    assert values.float().mean() == pytest.approx(255 if mode == "1" else 128, abs=4)


def test_a_camera_held_upright_is_respected(photos: Path) -> None:
    image = Image.new("RGB", (8, 8))
    image.paste((255, 255, 255), (0, 0, 8, 4))  # the upper half is white
    exif = image.getexif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    for file in photos.rglob("*.png"):
        image.save(file, exif=exif)
    seen = ready(photos, size=8).splits["train"].x[0, 0]
    assert seen[:, 5:].min() == 255 and seen[:, :3].max() == 0


def test_broken_images_are_all_named(photos: Path) -> None:
    (photos / "rose" / "0.png").write_bytes(b"no image at all")
    whole = (photos / "leaf" / "2.png").read_bytes()
    (photos / "leaf" / "2.png").write_bytes(whole[: len(whole) // 2])
    (photos / "leaf" / "4.png").write_bytes(b"")
    with pytest.raises(ValueError, match="3 of 20 images cannot be read") as error:
        ready(photos)
    for name in ("rose/0.png", "leaf/2.png", "leaf/4.png"):
        assert name in str(error.value)
    assert not list(photos.glob(".zoo*.npz"))


def test_a_changed_image_is_seen(photos: Path) -> None:
    ready(photos, size=4)
    for file in (photos / "rose").rglob("*.png"):
        Image.new("RGB", (12, 8), BLUE).save(file)
    train = ready(photos, size=4).splits["train"]
    assert train.x[train.y == 1][0, :, 0, 0].tolist() == list(BLUE)
    assert len(list(photos.glob(".zoo-*.npz"))) == 1


def test_an_image_that_moved_to_another_class_is_seen(photos: Path) -> None:
    ready(photos, size=4)
    (photos / "rose" / "0.png").rename(photos / "leaf" / "new.png")
    data = ready(photos, size=4)
    leaves = torch.cat([split.x[split.y == 0] for split in data.splits.values()])
    assert len(leaves) == 11
    assert sum(leaf[:, 0, 0].tolist() == list(RED) for leaf in leaves) == 1


@pytest.mark.parametrize("what", ["file", "folder", "class"])
@pytest.mark.parametrize("absolute", [True, False])
def test_a_link_that_leads_out_is_refused(
    what: str, absolute: bool, photos: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    Image.new("RGB", (4, 4)).save(secret / "x.png")
    link = {"class": photos / "zebra"}.get(what, photos / "rose" / "link.png")
    target = secret / "x.png" if what == "file" else secret
    if not absolute:
        target = Path("../" * (len(link.relative_to(tmp_path).parts) - 1)) / target.relative_to(
            tmp_path
        )
    link.symlink_to(target)
    with pytest.raises(ValueError, match=f"{link} leads out of"):
        ready(photos)


def test_a_link_inside_the_folder_is_an_image_like_others(photos: Path) -> None:
    (photos / "leaf" / "again.png").symlink_to(photos / "rose" / "0.png")
    data = ready(photos, size=4)
    assert sum(len(split.x) for split in data.splits.values()) == 21
    (photos / "leaf" / "all").symlink_to(photos / "rose")
    with pytest.raises(ValueError, match="is a link to a folder"):
        ready(photos, size=4)


def test_what_is_no_such_folder_is_a_sentence(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`path` must name the folder of your images"):
        ImageFolder().setup()
    with pytest.raises(FileNotFoundError, match="is no folder"):
        ready(tmp_path / "absent")
    with pytest.raises(ValueError, match="must have a subfolder for each class"):
        ready(photos / "rose" / "deeper")
    (photos / "tulip").mkdir()
    with pytest.raises(ValueError, match="tulip holds no image"):
        ready(photos)


@pytest.mark.parametrize("setting", [{"size": 0}, {"channels": 2}, {"fit": "pad"}])
def test_bad_settings_are_refused(setting: dict) -> None:
    with pytest.raises(ValueError, match=f"`{next(iter(setting))}`"):
        ImageFolder(**setting)


def test_too_few_images_are_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    Image.new("L", (4, 4)).save(tmp_path / "one" / "x.png")
    with pytest.raises(ValueError, match="has 1 images, too few"):
        ready(tmp_path)
