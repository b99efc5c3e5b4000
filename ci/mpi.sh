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
    installs=yes
    # shellcheck disable=SC2086
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        $packages libclang-dev iproute2 util-linux >/dev/null; } || true
fi
if lacking; then
    # Where it could be had it is not left out.
    [ -z "${installs:-}" ] || fail "apt cannot bring an MPI ($packages libclang-dev iproute2)"
    skip "MPI: no mpirun.$mpi, mpicc.$mpi, libclang or ip, and apt cannot bring them ($packages libclang-dev iproute2)"
    exit 0
fi

# One target folder with the rest of the workspace: what both depend on is built once. The two MPIs are built apart.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}
[ "$mpi" = openmpi ] || CARGO_TARGET_DIR=$CARGO_TARGET_DIR/$mpi
export MPICC=mpicc.$mpi
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
release=$CARGO_TARGET_DIR/release
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
present() { find /dev/shm -maxdepth 1 -name 'ndshm.*' 2>/dev/null | sort; }
before=$(present)
in_crate() { (cd "$crate" && "$@"); }

echo "-- built"
in_crate cargo fmt --all --check
if [ "$mpi" = openmpi ]; then
    in_crate cargo clippy --release --workspace --all-targets --locked -- -D warnings # as it is built: bindings are made once
    RUSTDOCFLAGS="-D warnings" in_crate cargo doc --release --workspace --no-deps --locked
    cargo build --release --locked --quiet -p ndshm-cli
fi
in_crate cargo build --release --workspace --bins --examples --locked

# Ranks of this machine; then of two hosts, $hosts times $2 ranks.
here() { local ranks=$1; shift; timeout 120 "mpirun.$mpi" "${flags[@]}" -np "$ranks" "$@"; }
flags=(--bind-to none --oversubscribe)
[ "$mpi" = openmpi ] || flags=(-bind-to none)

# Its tests start OpenMPI's mpirun themselves.
if [ "$mpi" = openmpi ]; then
    echo "-- tests"
    in_crate cargo test --release --workspace --locked
fi

# Each checks its result; the heat against that of one process, to the last bit.
examples() { (cd "$crate/examples" && printf '%s\n' *.rs | sed 's/\.rs$//; s/^heat$/heat --check --png heat.png/'); }
picture() { [ "$(head -c 4 "$scratch/heat.png" | tail -c 3)" = PNG ] || fail "no picture"; rm "$scratch/heat.png"; }
echo "-- examples, on one machine"
for ranks in 1 2 4; do
    while read -ra example; do
        echo "$ranks x ${example[*]}"
        (cd "$scratch" && here "$ranks" "$release/examples/${example[0]}" "${example[@]:1}" </dev/null) || fail "${example[*]} with $ranks ranks"
    done < <(examples)
    picture
done

two_hosts=no
if [ "$mpi" = openmpi ]; then
    hosts=$root/ci/mpi-hosts.sh
    status=0
    "$hosts" -n 1 -- true 2>"$scratch/hosts" || status=$?
    case $status in
    0) ;;
    77) cat "$scratch/hosts" >&2 ;;
    *) cat "$scratch/hosts" >&2; fail "two hosts" ;;
    esac
    if [ "$status" = 0 ]; then
        two_hosts=yes
        echo "-- examples, on two hosts"
        for each in 1 2; do
            while read -ra example; do
                echo "2 hosts x $each x ${example[*]}"
                (cd "$scratch" && "$hosts" -n "$each" -- "$release/examples/${example[0]}" "${example[@]:1}" </dev/null) ||
                    fail "${example[*]} on two hosts"
            done < <(examples)
            picture
        done

        echo "-- bytes on the wire, received by the second of two hosts"
        weigh() { # ranks each, what; prints how many bytes are needed, and how many came
            local each=$1 needed
            shift
            needed=$("$hosts" -n "$each" -b "$scratch/bytes" -- "$release/wire" "$@" 2>"$scratch/err") || { cat "$scratch/err" >&2; fail "wire $*"; }
            echo "$needed $(awk '$1 == "ndshm-1" { print $2 }' "$scratch/bytes")"
        }
        for each in 1 2 4; do
            weighed=$(weigh "$each" nothing)
            empty=${weighed#* }
            for what in "broadcast --size 64" "halo --size 256 --times 100" "allreduce --size 16"; do
                # shellcheck disable=SC2086
                weighed=$(weigh "$each" $what)
                needed=${weighed% *}
                came=$((${weighed#* } - empty))
                echo "$each ranks a host, $what: $needed needed, $came came"
                # TCP, IP and Ethernet add 4 % to full packets; MPI's headers, and what collectives agree on, some more.
                [ "$came" -ge "$needed" ] || fail "fewer bytes than the algorithm needs: what was counted?"
                [ $((came * 100)) -le $((needed * 110)) ] || fail "more than 1.1 x the bytes that the algorithm needs"
            done
        done
    fi

    echo "-- kills"
    "$release/kills" --rounds 12 --ndshm "$release/ndshm"
fi

echo "-- ratios, quickly"
"$release/ratios" --quick

# The Python package's arrays as buffers of mpi4py, where both can be had.
mpi4py() {
    local python=$scratch/python wheel
    [ -d "$root/crates/ndshm-python" ] || { skip "mpi4py: no crates/ndshm-python"; return; }
    { python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' && python3 -m venv "$python" &&
        "$python/bin/pip" install --quiet mpi4py numpy maturin; } >"$scratch/pip" 2>&1 || { skip "mpi4py: no Python 3.11 with venv, or no mpi4py: $(tail -1 "$scratch/pip")"; return; }
    (cd "$root/crates/ndshm-python" && PYO3_PYTHON="$python/bin/python" \
        "$python/bin/maturin" build --release --locked --quiet --out "$scratch" --interpreter "$python/bin/python")
    wheel=("$scratch"/*.whl)
    "$python/bin/pip" install --quiet --no-deps "${wheel[@]}"
    echo "-- mpi4py"
    for ranks in 1 2 4; do
        here "$ranks" "$python/bin/python" "$crate/tests/python/mpi4py_buffers.py" || fail "mpi4py with $ranks ranks"
    done
    if [ "$two_hosts" = yes ]; then
        "$hosts" -- "$python/bin/python" "$crate/tests/python/mpi4py_buffers.py" || fail "mpi4py on two hosts"
    fi
}
[ "$mpi" = mpich ] || mpi4py

left=$(comm -13 <(echo "$before") <(present))
[ -z "$left" ] || fail "left in /dev/shm: $left"
echo "all right"
