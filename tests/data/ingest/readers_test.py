"""What all readers of images have in common."""
import os

import numpy as np
from PIL import Image
from readers_testing import decode_all, one, picture, refused, rng  # noqa: F401


def test_what_no_reader_takes_is_named(tmp_path):
    for name, contents, kind in [("a.png", b"%PDF-1.7 ...", "PDF"), ("b.jpg", b"PK\3\4" + bytes(40), "ZIP"),
                                 ("c", b"hello\n", "text"), ("d", b"\x80\x04\x95" + bytes(9), "pickle")]:
        (tmp_path / name).write_bytes(contents)
        assert kind in refused(tmp_path / name)


def test_names_do_not_matter(tmp_path, rng):
    array = picture(rng, 20, 30, 3)
    Image.fromarray(array).save(tmp_path / "a.tif")
    os.rename(tmp_path / "a.tif", tmp_path / "a.png")
    assert np.array_equal(one(tmp_path / "a.png").pixels, array)


def test_one_child_reads_files_of_all_kinds(tmp_path, rng):
    array = picture(rng, 20, 30, 1)
    files = []
    for i in range(40):
        name = tmp_path / f"{i}.{['png', 'tif', 'npy'][i % 3]}"
        np.save(name, array) if i % 3 == 2 else Image.fromarray(array).save(name)
        files.append(name)
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n....")
    images, reasons = decode_all(*files[:20], tmp_path / "bad.png", *files[20:])
    assert len(images) == 40 and sum(reason != "" for reason in reasons) == 1
    assert all(np.array_equal(image.pixels[:, :, 0], array) for image in images)
