import torch

from zoo.preprocessing.views import channels_first, one_hot, pixels, rows, vector

IMAGES = torch.rand(3, 2, 4, 5)  # (B, C, H, W)


def test_vector_by_loops() -> None:
    expected = [[v for c in image for row in c for v in row] for image in IMAGES.tolist()]
    assert vector(IMAGES).tolist() == expected


def test_rows_by_loops() -> None:
    served = rows(IMAGES)
    assert served.shape == (3, 4, 10)
    for b in range(3):
        for h in range(4):
            step = [IMAGES[b, c, h, w] for c in range(2) for w in range(5)]
            assert served[b, h].tolist() == torch.stack(step).tolist()


def test_pixels_by_loops() -> None:
    served = pixels(IMAGES)
    assert served.shape == (3, 20, 2)
    for b in range(3):
        for h in range(4):
            for w in range(5):
                assert served[b, h * 5 + w].tolist() == IMAGES[b, :, h, w].tolist()


def test_channels_first_by_loops() -> None:
    x = torch.rand(2, 6, 3)
    served = channels_first(x)
    assert served.shape == (2, 3, 6)
    assert all(served[b, f, t] == x[b, t, f] for b in range(2) for t in range(6) for f in range(3))


def test_one_hot_by_loops() -> None:
    x = torch.tensor([[0, 2], [1, 1]])
    assert one_hot(x, 3).tolist() == [[[1, 0, 0], [0, 0, 1]], [[0, 1, 0], [0, 1, 0]]]
    assert one_hot(x, 3).dtype == torch.float32
