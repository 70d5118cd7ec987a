"""Trains a small classifier and saves it for `langevin evaluate --features`: a network's features of
images like these, where no Inception network is at hand or would see anything in them.

    feature_net.py [--images FOLDER] [--output FILE.pt] [--epochs 2] [--count 60000]

FOLDER is in MNIST's layout (default: Debian's Fashion-MNIST). The module takes (N, 1, H, W) in
[-1, 1] and returns (features (N, 64), logits (N, classes)). About a minute on one core; the accuracy
on the test images is printed.
"""
import argparse
import gzip
import struct

import numpy as np
import torch
from torch import nn

FASHION_MNIST = "/usr/share/datasets/fashion-mnist"


def read_idx(path):
    with gzip.open(path) as file:
        _, _, kind, dimensions = struct.unpack(">BBBB", file.read(4))
        assert kind == 8, f"{path}: not unsigned bytes"
        shape = struct.unpack(f">{dimensions}I", file.read(4 * dimensions))
        return np.frombuffer(file.read(), np.uint8).reshape(shape)


def read_split(folder, name):
    images = torch.from_numpy(read_idx(f"{folder}/{name}-images-idx3-ubyte.gz").copy())
    labels = torch.from_numpy(read_idx(f"{folder}/{name}-labels-idx1-ubyte.gz").copy()).long()
    return images[:, None].float() / 127.5 - 1, labels


class FeatureNet(nn.Module):
    """Two convolutions with pooling, then a layer whose output is the features."""

    def __init__(self, classes):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(7), nn.Flatten(),
            nn.Linear(32 * 49, 64), nn.ReLU())
        self.head = nn.Linear(64, classes)

    def forward(self, images):
        features = self.body(images)
        return features, self.head(features)


def train(images, labels, epochs, batch=128, seed=0):
    torch.manual_seed(seed)
    network = FeatureNet(int(labels.max()) + 1)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    for _ in range(epochs):
        for chosen in torch.randperm(len(images)).split(batch):
            optimizer.zero_grad()
            _, logits = network(images[chosen])
            nn.functional.cross_entropy(logits, labels[chosen]).backward()
            optimizer.step()
    return network.eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", default=FASHION_MNIST)
    parser.add_argument("--output", default="features.pt")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--count", type=int, default=60000, help="training images used")
    options = parser.parse_args()
    images, labels = read_split(options.images, "train")
    network = train(images[:options.count], labels[:options.count], options.epochs)
    images, labels = read_split(options.images, "t10k")
    with torch.no_grad():
        right = [(network(part)[1].argmax(1) == truth).float()
                 for part, truth in zip(images.split(500), labels.split(500))]
    torch.jit.script(network).save(options.output)
    print(f"{options.output}: {100 * torch.cat(right).mean():.1f}% of the test images right")


if __name__ == "__main__":
    main()
