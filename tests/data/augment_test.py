"""Augmentation against SciPy's splines, NumPy's turns, and the formulas of Karras et al. 2022.

Takes the path of langevin_augment_tool from the environment variable LANGEVIN_AUGMENT_TOOL.
"""

import os
import subprocess

import numpy as np
import pytest
from scipy import ndimage, stats

LABELS = 9


def augment(image, mask, seed, count, first=0, **fields):
    """The image, float (height, width, channels), at `count` positions of a run."""
    height, width, channels = image.shape
    settings = [f"data.augment.{name.replace('__', '.')}={value}" for name, value in fields.items()]
    result = subprocess.run(
        [os.environ["LANGEVIN_AUGMENT_TOOL"], *map(str, (height, width, channels, seed, first, count)), *settings],
        input=image.astype("<f4").tobytes() + mask.astype(np.uint8).tobytes(), capture_output=True, timeout=120)
    assert result.returncode == 0, result.stderr
    record = np.dtype([("map", "<f8", (2, 3)), ("intensity", "<f4", 3), ("labels", "<f4", LABELS),
                       ("image", "<f4", (channels, height, width)), ("mask", "u1", (height, width))])
    records = np.frombuffer(result.stdout, record)
    assert len(records) == count
    return records


def some_image(height, width, channels, seed=0):
    rng = np.random.default_rng(seed)
    image = rng.uniform(-1, 1, (height, width, channels))
    return image, (rng.random((height, width)) < 0.7).astype(np.uint8)


def points_of(source, shape, across):
    """Source coordinates (row, column) of across * across points in each output pixel."""
    height, width = shape
    offsets = (np.arange(across) + 0.5) / across - 0.5
    rows, columns, down, right = np.meshgrid(
        np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2, offsets, offsets, indexing="ij")
    x, y = columns + right, rows + down
    from_x = source[0, 0] * x + source[0, 1] * y + source[0, 2] + (width - 1) / 2
    from_y = source[1, 0] * x + source[1, 1] * y + source[1, 2] + (height - 1) / 2
    return from_y, from_x


def warped(plane, source):
    stretch = np.linalg.norm(source[:, :2], 2)
    across = int(np.clip(np.ceil(stretch - 0.01), 1, 4))
    return ndimage.map_coordinates(plane, points_of(source, plane.shape, across), order=3,
                                   mode="mirror").mean(axis=(2, 3))


def nearest(mask, source):
    from_y, from_x = (points[:, :, 0, 0] for points in points_of(source, mask.shape, 1))

    def reflect(index, size):
        index = np.abs(np.floor(index + 0.5).astype(int)) % max(1, 2 * size - 2)
        return np.where(index < size, index, 2 * size - 2 - index)

    return mask[reflect(from_y, mask.shape[0]), reflect(from_x, mask.shape[1])]


@pytest.mark.parametrize("shape", [(16, 16, 1), (9, 14, 3), (32, 20, 2)])
@pytest.mark.parametrize("fields", [
    {"rotate_degrees": 180}, {"scale": 0.5}, {"crop": 0.6}, {"scale": 2, "rotate_degrees": 30, "horizontal_flip": "true"},
    {"edm__probability": 1},
], ids=lambda fields: "+".join(fields))
def test_geometry_is_scipys_cubic_spline(shape, fields):
    image, mask = some_image(*shape)
    for record in augment(image, mask, seed=3, count=12, **fields):
        for channel in range(shape[2]):
            expected = warped(image[:, :, channel], record["map"])
            np.testing.assert_allclose(record["image"][channel], expected, atol=2e-5)
        # Coordinates exactly between two pixels may go to either.
        assert (record["mask"] != nearest(mask, record["map"])).mean() < 0.02


def test_turns_flips_and_moves_are_exact():
    image, mask = some_image(8, 8, 2)
    seen = set()
    for record in augment(image, mask, seed=1, count=400, horizontal_flip="true", vertical_flip="true",
                          quarter_turns="true"):
        turned = None
        for mirrored in (False, True):
            for turns in range(4):
                candidate = np.rot90(image[:, ::-1] if mirrored else image, turns).astype(np.float32)
                if np.array_equal(record["image"], candidate.transpose(2, 0, 1)):
                    turned = (mirrored, turns)
                    expected_mask = np.rot90(mask[:, ::-1] if mirrored else mask, turns)
        assert turned is not None
        np.testing.assert_array_equal(record["mask"], expected_mask)
        seen.add(turned)
    assert len(seen) == 8
    moves = set()
    image, mask = some_image(10, 6, 1)
    for record in augment(image, mask, seed=1, count=300, translate=0.5):
        x, y = int(record["map"][0, 2]), int(record["map"][1, 2])
        padded = np.pad(image[:, :, 0], 8, mode="reflect").astype(np.float32)
        np.testing.assert_array_equal(record["image"][0], padded[8 + y:18 + y, 8 + x:14 + x])
        moves.add((x, y))
    assert {x for x, _ in moves} == set(range(-3, 4)) and {y for _, y in moves} == set(range(-5, 6))


def test_intensities_and_noise():
    image, mask = some_image(32, 32, 1)
    records = augment(image, mask, seed=7, count=300, intensity_scale=0.3, intensity_shift=0.2, noise=0.1)
    gain, shift, noise = records["intensity"].T
    for values, low, high in ((gain, 0.7, 1.3), (shift, -0.2, 0.2), (noise, 0, 0.1)):
        assert low <= values.min() and values.max() <= high
        assert stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > 1e-4
    clean = gain[:, None, None] * image[:, :, 0].astype(np.float32) + shift[:, None, None]
    left = (records["image"][:, 0] - clean) / noise[:, None, None]
    assert stats.kstest(left.ravel()[:20000], "norm").pvalue > 1e-4


def rotation(angle):
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def edm_sources(labels, side):
    """The inverse maps that table 6 of the paper gives for these conditional inputs: one, or two
    where the anisotropy's sign and direction cannot be told from its inputs."""
    flips = np.diag([1 - 2 * labels[0], 1 - 2 * labels[1]])
    scale = np.eye(2) * (2 ** 0.2) ** labels[2]
    turn = rotation(-np.arctan2(labels[4], labels[3] + 1))
    sources = []
    strength, direction = np.hypot(labels[5], labels[6]), np.arctan2(labels[6], labels[5])
    for a, r in ((strength, direction), (-strength, direction + np.pi)):
        # Turned by r, stretched, and turned back.
        stretched = rotation(-r) @ np.diag([(2 ** 0.2) ** a, (2 ** 0.2) ** -a]) @ rotation(r)
        # What is done to the image, first to last: flips, scale, rotation, anisotropy, translation.
        forward = np.eye(3)
        for step in (flips, scale, turn, stretched):
            whole = np.eye(3)
            whole[:2, :2] = step
            forward = whole @ forward
        forward[:2, 2] += side / 8 * labels[7:9]
        sources.append(np.linalg.inv(forward)[:2])
    return sources


def test_edm_labels_tell_what_was_done():
    side = 16
    image, mask = some_image(side, side, 1)
    records = augment(image, mask, seed=11, count=4000, edm__probability=0.12)
    for record in records:
        errors = [np.abs(record["map"] - source).max() for source in edm_sources(record["labels"].astype(float), side)]
        assert min(errors) < 1e-5
    labels = records["labels"]
    share = (labels != 0).mean(axis=0)
    # Flips are drawn evenly: left to right always, top to bottom where it is applied.
    for index, expected in enumerate([0.5, 0.06, 0.12, 0.12, 0.12, 0.12, None, 0.12, 0.12]):
        if expected is not None:
            assert stats.binomtest(int(share[index] * 4000 + 0.5), 4000, expected).pvalue > 1e-4, index
    normal = np.concatenate([labels[labels[:, 2] != 0, 2], labels[labels[:, 7] != 0, 7], labels[labels[:, 8] != 0, 8]])
    assert stats.kstest(normal, "norm").pvalue > 1e-4
    aniso = labels[labels[:, 5] != 0]
    assert stats.binomtest(int((aniso[:, 6] != 0).sum()), len(aniso), 0.5).pvalue > 1e-4
    angle = np.arctan2(labels[:, 4], labels[:, 3] + 1)[labels[:, 3] != 0]
    assert stats.kstest(angle, stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 1e-4


def test_what_is_drawn_depends_on_seed_and_position_alone():
    image, mask = some_image(8, 8, 1)
    fields = {"edm__probability": 0.5, "noise": 0.1, "crop": 0.2}
    all_records = augment(image, mask, seed=5, count=50, **fields)
    later = augment(image, mask, seed=5, first=20, count=30, **fields)
    assert all_records[20:].tobytes() == later.tobytes()
    # Another augmentation does not change what the first ones draw.
    more = augment(image, mask, seed=5, count=50, intensity_shift=0.1, **fields)
    np.testing.assert_array_equal(more["labels"], all_records["labels"])
    other = augment(image, mask, seed=6, count=50, **fields)
    assert not np.array_equal(other["labels"], all_records["labels"])
