# SPDX-License-Identifier: GPL-2.0-only
"""The guest's disk: bytes made from a seed, no two pages alike.

Its sha256 is computed from the seed and not from the file, so that a wrong
file shows as well.
"""

import hashlib
import random
import threading

SEED = 7
SIZE = 64 << 20
CHUNK = 1 << 20
MAKING = threading.Lock()   # guests may start at the same time


def chunks():
    generator = random.Random(SEED)
    for _ in range(SIZE // CHUNK):
        yield generator.randbytes(CHUNK)


def sha256():
    digest = hashlib.sha256()
    for chunk in chunks():
        digest.update(chunk)
    return digest.hexdigest()


def make(path):
    """The image, made if it is not there; a guest never writes to it."""
    with MAKING:
        if not path.exists() or path.stat().st_size != SIZE:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".new")
            with open(partial, "wb") as file:
                file.writelines(chunks())
            partial.rename(path)
    return path
