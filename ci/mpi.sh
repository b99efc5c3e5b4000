#!/usr/bin/env bash
# crates/ndshm-mpi under mpirun: its tests, its examples with 1, 2 and 4 ranks, as two hosts with the bytes on the wire counted, kills,
# a quick comparison, mpi4py. Installs OpenMPI and libclang where apt can. OpenMPI; with `mpich` as its argument MPICH, on one machine.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
crate=$root/crates/ndshm-mpi

fail() { echo "FAILED: $*" >&2; exit 1; }
skip() { echo "SKIPPED: $*" >&2; }

mpi=${1:-openmpi}
case $mpi in
openmpi) packages="libopenmpi-dev openmpi-bin" ;;
mpich) packages="libmpich-dev mpich" ;;
*) echo "usage: ci/mpi.sh [openmpi|mpich]" >&2; exit 2 ;;
esac
libclang() { [ -n "${LIBCLANG_PATH:-}" ] || ls /usr/lib/llvm-*/lib/libclang*.so* /usr/lib/*/libclang*.so* >/dev/null 2>&1; }
lacking() { ! command -v "mpirun.$mpi" || ! command -v "mpicc.$mpi" || ! libclang || ! command -v ip; } >/dev/null 2>&1
if lacking && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    # shellcheck disable=SC2086
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        $packages libclang-dev iproute2 util-linux >/dev/null; } || true
fi
if lacking; then
    skip "MPI: no mpirun.$mpi, mpicc.$mpi, libclang or ip, and apt cannot bring them ($packages libclang-dev iproute2)"
    exit 0
fi

# One target folder with the rest of the workspace: what both depend on is built once. The two MPIs are built apart.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}
[ "$mpi" = openmpi ] || CARGO_TARGET_DIR=$CARGO_TARGET_DIR/$mpi
export MPICC=mpicc.$mpi
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export NDSHM_MPIRUN=mpirun.$mpi
release=$CARGO_TARGET_DIR/release
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
present() { find /dev/shm -maxdepth 1 -name 'ndshm*' 2>/dev/null | sort; }
before=$(present)
in_crate() { (cd "$crate" && "$@"); }

echo "-- built"
in_crate cargo fmt --all --check
in_crate cargo clippy --release --workspace --all-targets --locked -- -D warnings
RUSTDOCFLAGS="-D warnings" in_crate cargo doc --release --workspace --no-deps --locked
in_crate cargo build --release --workspace --all-targets --locked
