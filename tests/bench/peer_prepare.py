"""What a home-made script does in place of `langevin prepare`: Pillow (pydicom for DICOM) and h5py.

Two processes decode, bring to RGB and a size where asked, and take a checksum; the parent writes an
HDF5 file. Prints one line of JSON. No shuffling of bytes that langevin does not do either.

With --quality it does what langevin does besides: a digest of each source file, a hash of the pixels,
statistics, sharpness and entropy of each image, a perceptual hash (DCT) with near duplicates found by
its parts, and a distance to the 2 % nearest of 2,048 others for outliers; NumPy and SciPy throughout.
"""

import argparse
import hashlib
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


def measure(path, pixels):
    """Features of one image, and its perceptual hash."""
    from scipy.fft import dctn

    with open(path, "rb") as file:
        source = hashlib.blake2b(file.read(), digest_size=16).hexdigest()
    exact = hashlib.blake2b(pixels.tobytes(), digest_size=16).hexdigest()
    gray = pixels.astype(np.float32)
    gray = gray @ np.array([0.299, 0.587, 0.114], np.float32) if gray.ndim == 3 else gray
    low, high = float(gray.min()), float(gray.max())
    gray = (gray - low) / max(high - low, 1e-9)
    p5, median, p95, p99 = np.percentile(gray, [5, 50, 95, 99])
    counts = np.histogram(gray, 256, (0, 1))[0]
    share = counts[counts > 0] / gray.size
    down, across = np.abs(np.diff(gray, axis=0)), np.abs(np.diff(gray, axis=1))
    second = np.abs(4 * gray[1:-1, 1:-1] - gray[:-2, 1:-1] - gray[2:, 1:-1] - gray[1:-1, :-2] - gray[1:-1, 2:])
    border = np.median(np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]]))
    weight = np.abs(gray - border)
    mass = max(float(weight.sum()), 1e-9)
    y, x = np.arange(gray.shape[0])[:, None] / gray.shape[0], np.arange(gray.shape[1])[None] / gray.shape[1]
    centre_y, centre_x = (weight * y).sum() / mass, (weight * x).sum() / mass
    features = [
        gray.mean(), gray.std(), median, p95, p5, p99, -(share * np.log2(share)).sum(), border,
        down.mean(), across.mean(), second.mean(), (down > 0.25).mean(),
        np.sqrt((weight * (y - centre_y) ** 2).sum() / mass), np.sqrt((weight * (x - centre_x) ** 2).sum() / mass),
        (weight <= 0.02).mean(), (gray > 0.8).mean(),
    ]
    small = np.asarray(Image.fromarray(gray).resize((32, 32), Image.Resampling.BOX))
    frequencies = dctn(small)[:8, :8].ravel()
    bits = int.from_bytes(np.packbits(frequencies > np.median(frequencies)).tobytes(), "big")
    return source, exact, bits, features


def judge(measured):
    """How many are equal, nearly equal (10 bits of the hash) and outliers."""
    exact, seen, near = set(), [{} for _ in range(5)], 0
    for _, digest, bits, _ in measured:
        exact.add(digest)
        parts = [(bits >> (13 * i)) & 0x1FFF for i in range(5)]
        others = {other for table, part in zip(seen, parts) for other in table.get(part, ())}
        near += any((bits ^ other).bit_count() <= 10 for other in others)
        for table, part in zip(seen, parts):
            table.setdefault(part, []).append(bits)
    features = np.array([m[3] for m in measured], np.float32)
    features -= np.median(features, 0)
    features /= np.maximum(1.4826 * np.median(np.abs(features), 0), 1e-3)
    features = features.clip(-30, 30)
    references = features[:: max(1, len(features) // 2048)][:2048]
    rank = len(references) // 50
    scores = []
    for begin in range(0, len(features), 512):
        block = features[begin : begin + 512]
        squares = (block**2).sum(1)[:, None] + (references**2).sum(1)[None] - 2 * block @ references.T
        scores.append(np.sqrt(np.maximum(np.partition(squares, rank, axis=1)[:, rank], 0)))
    return len(measured) - len(exact), near, int((np.concatenate(scores) > 8).sum())


def prepare(arguments):
    path, size, rgb, quality = arguments
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
        measured = measure(path, pixels) if quality else None
    except Exception as error:  # A script that stops at the first bad file is of no use.
        return path, str(error), 0, None
    return path, np.ascontiguousarray(pixels), zlib.crc32(pixels.tobytes()), measured


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--input", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--size", type=int, default=0)
    parser.add_argument("--rgb", action="store_true")
    parser.add_argument("--quality", action="store_true")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    begin = time.monotonic()
    paths = sorted(os.path.join(folder, name) for folder, _, names in os.walk(options.input) for name in names)
    source_bytes = sum(os.path.getsize(path) for path in paths)
    batch, crcs, rejected, measured, images = [], [], [], [], None
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

        work = ((path, options.size, options.rgb, options.quality) for path in paths)
        for path, pixels, crc, facts in pool.imap(prepare, work, chunksize=64):
            if isinstance(pixels, str):
                rejected.append((path, pixels))
                continue
            batch.append(pixels)
            crcs.append(crc)
            measured.append(facts)
            if len(batch) == 256:
                flush()
        flush()
        file["crc32"] = np.array(crcs, np.uint32)
    found = judge(measured) if options.quality else None
    with open(options.output, "rb") as file:
        os.fsync(file.fileno())
    seconds = time.monotonic() - begin
    print(
        json.dumps(
            {
                "program": "Pillow + h5py",
                "images": len(crcs),
                "rejected": len(rejected),
                "equal_near_outliers": found,
                "seconds": round(seconds, 3),
                "images_per_s": round(len(crcs) / seconds, 1),
                "mb_per_s": round(source_bytes * 1e-6 / seconds, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
