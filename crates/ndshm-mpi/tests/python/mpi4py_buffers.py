"""Arrays of the Python package as buffers of MPI, without a copy: run by `ci/mpi.sh` under mpirun, with any number of ranks and nodes.

One array a node, which the leaders of the nodes fill by MPI and all ranks of the node read; halos and reductions straight from claimed rows.
"""

import sys

import ndshm
import numpy as np
from mpi4py import MPI

N = 1000


def main():
    world = MPI.COMM_WORLD
    node = world.Split_type(MPI.COMM_TYPE_SHARED)
    leaders = world.Split(0 if node.rank == 0 else MPI.UNDEFINED, world.rank)

    # One copy a node: an array that is pickled brings the same memory, not a copy.
    table = ndshm.zeros((N, 3)) if node.rank == 0 else None
    table = node.bcast(table)

    # A broadcast by the leaders, received where all ranks of the node read it.
    if leaders != MPI.COMM_NULL:
        if world.rank == 0:
            with table.write() as all_of_it:
                all_of_it[...] = np.arange(3.0 * N).reshape(N, 3)
        with table.write() as all_of_it:
            leaders.Bcast([all_of_it, MPI.DOUBLE])
    node.Barrier()
    expected = np.arange(3.0 * N).reshape(N, 3)
    with table.read() as all_of_it:
        assert (all_of_it == expected).all(), "not what was broadcast"

    # The same memory: what one rank writes, its neighbours on the node see.
    node.Barrier()
    with table.claim(slice(node.rank, node.rank + 1)) as row:
        row[...] = -1.0 - world.rank
    node.Barrier()
    ranks = node.allgather(world.rank)
    seen = np.asarray(table)[: node.size, 0]
    assert list(seen) == [-1.0 - r for r in ranks], f"{seen} of ranks {ranks}"

    # Rows to the next rank in a ring and from the one before, out of claimed rows and into others.
    mine = ndshm.zeros((2, N))
    with mine.claim(slice(0, 1)) as given, mine.claim(slice(1, 2)) as got:
        given[...] = world.rank
        world.Sendrecv([given, MPI.DOUBLE], (world.rank + 1) % world.size, recvbuf=[got, MPI.DOUBLE])
        assert (got == (world.rank - 1) % world.size).all(), "not the neighbour's rows"

    # An array sends by itself, as np.asarray(a) does: read-only. `unclaimed()` is writable, and claims nothing; nobody else has this one.
    sums, own = ndshm.zeros(4), ndshm.array(world.rank + np.arange(4.0))
    world.Allreduce([np.asarray(own), MPI.DOUBLE], [sums.unclaimed(), MPI.DOUBLE])
    below = world.size * (world.size - 1) / 2
    assert (np.asarray(sums) == below + world.size * np.arange(4.0)).all(), "not the sum over ranks"

    world.Barrier()
    if world.rank == 0:
        print(f"mpi4py {sys.modules['mpi4py'].__version__}: {world.size} ranks, all right")


main()
