"""The heat equation on a plate, by bands in several processes; while they work, this one draws what is there.

    python heat.py [--size 256] [--steps 2000] [--workers 4] [--out heat.png]

Each worker reads its band and one row of each neighbour from one array, and writes its band of the other; at the barrier the two
change places. The picture is by matplotlib, of a snapshot: consistent, and it stops nobody for longer than a copy takes.
"""

import argparse
import threading
import time

import numpy as np

import ndshm


def step(old, new):
    """One step of the interior rows that `old` has around them."""
    around = old[:-2, 1:-1] + old[2:, 1:-1] + old[1:-1, :-2] + old[1:-1, 2:]
    new[:, 1:-1] = old[1:-1, 1:-1] + 0.2 * (around - 4 * old[1:-1, 1:-1])


def work(w, plates, steps):
    interior = len(plates[0]) - 2
    mine = w.band(interior)
    first, last = mine.start + 1, mine.stop + 1
    for n in range(steps):
        now, next = plates[n % 2], plates[1 - n % 2]
        with now.claim(np.s_[first - 1 : last + 1], shared=True, timeout=60) as old:
            with next.claim(np.s_[first:last], timeout=60) as new:
                step(old, new)
        w.barrier()  # all have written; a death is an error here


def sequential(plate, steps):
    old, new = plate.copy(), plate.copy()
    for _ in range(steps):
        step(old, new[1:-1])
        old, new = new, old
    return old


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--size", type=int, default=256)
    options.add_argument("--steps", type=int, default=2000)
    options.add_argument("--workers", type=int, default=4)
    options.add_argument("--out", default="heat.png", help="the picture; '' for none")
    args = options.parse_args()

    plate = np.zeros((args.size, args.size))
    plate[0, :] = 100.0  # one side is kept hot
    plates = ndshm.array(plate), ndshm.array(plate)

    outcome = []
    start = time.perf_counter()
    workers = threading.Thread(target=lambda: outcome.append(ndshm.Workers(args.workers).run(work, plates, args.steps)))
    workers.start()
    while workers.is_alive():
        workers.join(1.0)
        print(f"{time.perf_counter() - start:5.1f} s: mean {plates[0].snapshot().mean():.4f} degrees")
    assert outcome, "the workers failed"

    found = plates[args.steps % 2][...]
    assert np.array_equal(found, sequential(plate, args.steps)), "not what one process computes"
    print(f"{args.steps} steps of {args.size} x {args.size}: the same as by one process, bit for bit")

    if args.out:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt

        plt.imshow(found, cmap="inferno", extent=(0, 1, 0, 1))
        plt.colorbar(label="temperature")
        plt.title(f"after {args.steps} steps, by {args.workers} processes")
        plt.savefig(args.out, dpi=120)
        print("drawn:", args.out)


if __name__ == "__main__":
    main()
