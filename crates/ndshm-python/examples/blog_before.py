"""M[i, j] = i + j by several processes, as one did it: with multiprocessing.Array. See blog_after.py."""

import sys
from multiprocessing import Array, Process

import numpy as np


def compute(i, P, arr, n):
    m = np.frombuffer(arr.get_obj()).reshape((n, n))
    rows = range(i * n // P, (i + 1) * n // P)
    m[rows] = np.add.outer(rows, np.arange(n))
    # m = 1 * m here, and all that follows would be private: nobody would say so.


if __name__ == "__main__":
    n, P = int(sys.argv[1]) if len(sys.argv) > 1 else 1000, 4
    arr = Array("d", n * n)
    ps = [Process(target=compute, args=(i, P, arr, n)) for i in range(P)]
    for p in ps:
        p.start()
    for p in ps:
        p.join()  # a process that was killed holding arr's lock: the next one waits for ever
    m = np.frombuffer(arr.get_obj()).reshape((n, n))
    print(m.sum(), "is right" if (m == np.add.outer(np.arange(n), np.arange(n))).all() else "is WRONG")
