#!/usr/bin/env python3
"""The correlation example against numpy.corrcoef, over shapes, dtypes, memory orders and workers.

    ci/correlation.py EXECUTABLE [--big]

--big adds tables of up to 20,000 x 300, which take long in a debug build.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np

TOLERANCE = 1e-10  # absolute
INTEGERS = ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]
FLOATS = ["f4", "f8"]

warnings.filterwarnings("ignore", category=RuntimeWarning)
worst = 0.0
compared = 0


def table(rng, rows, columns, dtype):
    """Columns that depend on each other, over much of the range of the dtype."""
    dtype = np.dtype(dtype)
    x = rng.normal(size=(rows, columns)) + rng.normal(size=(rows, 1))
    if dtype.kind == "f":
        return x.astype(dtype)
    info = np.iinfo(dtype)
    middle, half = (info.max + info.min) / 2, (info.max - info.min) / 2
    return np.clip(middle + x * half / 8, info.min * 0.9, info.max * 0.9).astype(dtype)


def run(executable, x, workers, directory):
    file, out = os.path.join(directory, "x.npy"), os.path.join(directory, "r.npy")
    np.save(file, x)
    command = [executable, file, "--workers", str(workers), "--out", out, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, (command, done)
    assert done.stderr == "", done.stderr
    report = json.loads(done.stdout)
    assert (report["samples"], report["columns"]) == x.shape, report
    r = np.load(out)
    assert r.dtype == np.float64 and r.shape == (x.shape[1], x.shape[1]), (r.dtype, r.shape)
    return r


def compare(executable, what, x, workers, directory, expected=None):
    global worst, compared
    if expected is None:
        # One column gives a number, not a matrix.
        expected = np.corrcoef(x, rowvar=False).reshape(x.shape[1], x.shape[1])
    r = run(executable, x, workers, directory)
    nan = np.isnan(expected)
    assert np.array_equal(np.isnan(r), nan), f"{what}: NaN elsewhere\n{r}\n{expected}"
    error = np.abs(r - expected)[~nan].max(initial=0.0)
    assert error <= TOLERANCE, f"{what}: off by {error}"
    worst, compared = max(worst, error), compared + 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("executable")
    parser.add_argument("--big", action="store_true")
    options = parser.parse_args()
    rng = np.random.default_rng(2015)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:

        def same(what, x, workers=3, expected=None):
            compare(options.executable, what, x, workers, directory, expected)

        for rows, columns in [(2, 1), (2, 2), (3, 2), (1, 3), (1, 1), (9, 1), (100, 7), (7, 40)]:
            for order in "CF":
                for dtype in FLOATS:
                    x = np.array(table(rng, rows, columns, dtype), order=order)
                    same(f"{rows} x {columns} {dtype} {order}", x)
        for dtype in INTEGERS + FLOATS:
            for order in "CF":
                x = np.array(table(rng, 211, 9, dtype), order=order)
                same(f"211 x 9 {dtype} {order}", x)
        for workers in [1, 2, 4, 5, 16]:
            same(f"{workers} workers", table(rng, 100, 7, "f8"), workers)
        same("1000 x 50", table(rng, 1000, 50, "f8"), 4)

        # Constant columns are NaN in NumPy where their mean is exact.
        x = table(rng, 64, 5, "f8")
        x[:, 1], x[:, 3] = 3.0, -0.0
        x[::2, 3] = 0.0
        same("constant columns", x)
        same("one constant column", np.full((8, 1), 2.5))
        same("all columns constant", np.full((8, 3), 7, "i4"))
        # Where it is not NumPy gives 0 and 1, this example NaN.
        x = table(rng, 10, 3, "f8")
        expected = np.corrcoef(x, rowvar=False)
        x[:, 2] = 0.1
        expected[2, :] = expected[:, 2] = np.nan
        same("a column of 0.1", x, 3, expected)

        for value in [np.nan, np.inf, -np.inf]:
            for row in [0, 50, 99]:
                x = table(rng, 100, 4, "f8")
                x[row, 2] = value
                same(f"{value} in row {row}", x)
        x = table(rng, 20, 4, "f8")
        x[3, 0], x[4, 0], x[5, 1], x[:, 2] = np.inf, -np.inf, np.nan, np.nan
        same("NaN and infinities", x)

        for offset in [1e3, 1e6, -1e6, 1e8]:
            same(f"offset {offset}", offset + table(rng, 1000, 5, "f8"))
        for scale in [1e-200, 1e-150, 1e-30, 1e30, 1e150, 1e200]:
            same(f"scale {scale}", scale * table(rng, 100, 5, "f8"))
        x = table(rng, 500, 6, "f8") * 10.0 ** np.arange(-9, 9, 3)
        same("columns of very different scale", x)
        x = table(rng, 300, 2, "f8")
        same("equal and opposite columns", np.column_stack([x, -x, 2 * x + 1]))

        # A view on part of an array, saved and loaded as it is.
        same("every other column", table(rng, 40, 12, "f4")[:, ::2])

        if options.big:
            for rows, columns, dtype, order in [
                (20000, 300, "f8", "C"),
                (20000, 300, "f4", "F"),
                (20000, 300, "i2", "C"),
                (300, 300, "u8", "F"),
                (100000, 20, "f8", "F"),
                (2, 1000, "f8", "C"),
            ]:
                x = np.array(table(rng, rows, columns, dtype), order=order)
                same(f"{rows} x {columns} {dtype} {order}", x, 4)
    took = time.monotonic() - start
    print(f"{compared} tables equal to NumPy {np.__version__} within {worst:.1e}, {took:.1f} s")


if __name__ == "__main__":
    sys.exit(main())
