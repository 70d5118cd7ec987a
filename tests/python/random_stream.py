"""The draws of core/base/philox.h, written once more in NumPy, so that peers can be given the same."""
import numpy as np

TRAINING_NOISE, TIMESTEP, SAMPLER_NOISE = 1, 2, 7  # Of RandomPurpose.


def philox(counters, key):
    """Philox4x32-10 (Salmon et al. 2011) of counters (n, 4), least significant word first."""
    x = counters.astype(np.uint64)
    low = np.uint64(0xFFFFFFFF)
    k0, k1 = np.uint64(key & 0xFFFFFFFF), np.uint64(key >> 32)
    for _ in range(10):
        a, b = x[:, 0] * np.uint64(0xD2511F53), x[:, 2] * np.uint64(0xCD9E8D57)
        x = np.stack([(b >> np.uint64(32)) ^ x[:, 1] ^ k0, b & low,
                      (a >> np.uint64(32)) ^ x[:, 3] ^ k1, a & low], axis=1)
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & low, (k1 + np.uint64(0xBB67AE85)) & low
    return x


def words(seed, position, purpose, count, substream=0):
    """The first `count` words of RandomStream(seed, position, purpose, substream)."""
    blocks = np.arange((count + 3) // 4)
    zeros = np.zeros_like(blocks)
    counters = np.stack([zeros + position, zeros, zeros + (substream << 8 | purpose), blocks], axis=1)
    return philox(counters, seed).reshape(-1)[:count]


def normals(seed, position, purpose, count, substream=0):
    """What FillNormal gives, float32; `count` is even."""
    pairs = words(seed, position, purpose, count, substream).astype(np.float64).reshape(-1, 2)
    radius, angle = np.sqrt(-2 * np.log((pairs[:, 0] + 0.5) / 2**32)), 2 * np.pi * pairs[:, 1] / 2**32
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).reshape(-1).astype(np.float32)
