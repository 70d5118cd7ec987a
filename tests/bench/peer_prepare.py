"""What a home-made script does in place of `langevin prepare`: Pillow (pydicom for DICOM) and h5py.

Two processes decode, bring to RGB and a size where asked, and take a checksum; the parent writes an
HDF5 file. Prints one line of JSON. No shuffling of bytes that langevin does not do either.
"""

import argparse
import json
import multiprocessing
import os
import time
import zlib

import h5py
import numpy as np
from PIL import Image


def read(path):
    if path.endswith(".dcm"):
        import pydicom

        return pydicom.dcmread(path).pixel_array
    return Image.open(path)


def prepare(arguments):
    path, size, rgb = arguments
    try:
        image = read(path)
        if isinstance(image, Image.Image):
            if rgb:
                image = image.convert("RGB")
            if size:
                # The largest square in the middle, as langevin's fit CROP.
                side = min(image.size)
                left, top = (image.width - side) // 2, (image.height - side) // 2
                image = image.resize((size, size), Image.Resampling.LANCZOS, (left, top, left + side, top + side))
        pixels = np.asarray(image)
    except Exception as error:  # A script that stops at the first bad file is of no use.
        return path, str(error), 0
    return path, np.ascontiguousarray(pixels), zlib.crc32(pixels.tobytes())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--input", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--size", type=int, default=0)
    parser.add_argument("--rgb", action="store_true")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    begin = time.monotonic()
    paths = sorted(os.path.join(folder, name) for folder, _, names in os.walk(options.input) for name in names)
    source_bytes = sum(os.path.getsize(path) for path in paths)
    batch, crcs, rejected, images = [], [], [], None
    with multiprocessing.Pool(options.processes) as pool, h5py.File(options.output, "w") as file:

        def flush():
            nonlocal images
            if not batch:
                return
            block = np.stack(batch)
            if images is None:
                images = file.create_dataset(
                    "images", (0, *block.shape[1:]), block.dtype, maxshape=(None, *block.shape[1:]), chunks=(256, *block.shape[1:])
                )
            images.resize(len(images) + len(block), 0)
            images[-len(block) :] = block
            batch.clear()

        work = ((path, options.size, options.rgb) for path in paths)
        for path, pixels, crc in pool.imap(prepare, work, chunksize=64):
            if isinstance(pixels, str):
                rejected.append((path, pixels))
                continue
            batch.append(pixels)
            crcs.append(crc)
            if len(batch) == 256:
                flush()
        flush()
        file["crc32"] = np.array(crcs, np.uint32)
    with open(options.output, "rb") as file:
        os.fsync(file.fileno())
    seconds = time.monotonic() - begin
    print(
        json.dumps(
            {
                "program": "Pillow + h5py",
                "images": len(crcs),
                "rejected": len(rejected),
                "seconds": round(seconds, 3),
                "images_per_s": round(len(crcs) / seconds, 1),
                "mb_per_s": round(source_bytes * 1e-6 / seconds, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
