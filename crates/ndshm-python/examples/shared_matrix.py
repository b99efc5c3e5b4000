"""The program of the README."""

import numpy as np

import ndshm


def compute(w, m):
    with m.claim(w.band(len(m))) as rows:  # my rows; an overlap is an error, across processes
        rows[...] = np.add.outer(np.arange(len(m))[w.band(len(m))], np.arange(m.shape[1]))
    w.barrier()  # everyone's rows are there, or an error names who died
    with m.read() as all:  # an ordinary, read-only ndarray
        return float(all.sum())


if __name__ == "__main__":
    m = ndshm.zeros((2000, 2000))
    sums = ndshm.Workers(4).run(compute, m)
    print(sums)
    assert sums == [7996000000.0] * 4
