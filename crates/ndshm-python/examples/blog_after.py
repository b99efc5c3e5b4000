"""M[i, j] = i + j by several processes, with ndshm. See blog_before.py."""

import sys

import numpy as np

import ndshm


def compute(w, m):
    mine = w.band(len(m))
    with m.claim(mine) as rows:  # shape and dtype came along; an overlap would be an error
        rows[...] = np.add.outer(np.arange(mine.start, mine.stop), np.arange(m.shape[1]))
    w.barrier()  # all are there, or an error says who died
    return m[mine].sum(axis=1)  # a result is what the function returns


if __name__ == "__main__":
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    m = ndshm.zeros((n, n))
    sums = np.concatenate(ndshm.Workers(4).run(compute, m))
    m[...] = 1 * m[...]  # writes to the shared memory
    right = (m[...] == np.add.outer(np.arange(n), np.arange(n))).all() and (sums == m[...].sum(axis=1)).all()
    print(sums.sum(), "is right" if right else "is WRONG")
    sys.exit(not right)
