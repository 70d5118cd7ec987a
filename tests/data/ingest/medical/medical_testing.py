"""Runs langevin_medical_dump and gives its images as arrays."""
import dataclasses
import json
import os
import subprocess

import numpy as np

DUMP = os.environ["LANGEVIN_MEDICAL_DUMP"]


@dataclasses.dataclass
class Image:
    fields: dict
    stored: np.ndarray  # As a data set would hold it: (height, width[, 3]).
    mask: np.ndarray | None

    @property
    def physical(self):
        return self.stored.astype(np.float64) * self.fields["scale"] + self.fields["offset"]


def run(folder, mode, files, *options):
    """Items of (fields, images), one for each file, or each series of the files."""
    pixels = os.path.join(folder, "pixels.bin")
    arguments = [DUMP, pixels, *map(str, options), mode, *map(str, files)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, f"exit code {done.returncode}: {done.stderr[-2000:]}"
    assert done.stderr == "", f"readers print nothing, yet: {done.stderr[:500]}"
    with open(pixels, "rb") as file:
        data = file.read()
    items = []
    for line in done.stdout.splitlines():
        fields = json.loads(line)
        images = []
        for image in fields.pop("images"):
            shape, dtype = image["shape"], np.dtype(image["dtype"])
            stored = np.frombuffer(data, dtype, int(np.prod(shape)), image["pixels"]).reshape(shape)
            mask = None
            if image["has_mask"]:
                mask = np.frombuffer(data, np.uint8, shape[0] * shape[1], image["mask"])
                mask = mask.reshape(shape[:2])
            images.append(Image(image, stored[..., 0] if shape[2] == 1 else stored, mask))
        items.append((fields, images))
    return items, data
