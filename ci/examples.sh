#!/usr/bin/env bash
# The examples as the README and their own first lines run them, in release; the correlations against NumPy up to
# 20,000 x 300, where python3 has it.
set -euo pipefail
cd "$(dirname "$0")/.."

name=ndshm-ci-$$
kept=/dev/shm/ndshm.$name
scratch=$(mktemp -d)
trap 'rm -rf "$scratch" "$kept"' EXIT
unset NDSHM_DIR

fail() { echo "FAILED: $*" >&2; exit 1; }
example() { cargo run --quiet --release --locked --package ndshm-examples --example "$@"; }
status() { "$@" >"$scratch/out" 2>"$scratch/err" && echo 0 || echo $?; }
holds() { grep -qF -- "$1" "$2" || { cat "$2" >&2; fail "no '$1' in the output"; }; }
numpy() { python3 -c 'import numpy' 2>/dev/null; }

cargo build --release --locked --package ndshm-examples --examples

echo "-- shared_matrix"
example shared_matrix | tee "$scratch/text"
holds "4000000 elements of 2000 x 2000 checked: all are i + j" "$scratch/text"
[ "$(grep -cE '^ +[0-9]+ +[0-9]+ +[0-9]+\.\.[0-9]+ +7996000000$' "$scratch/text")" = 4 ] || fail "no table of four workers"

example shared_matrix -- --size 2000 --workers 4 --json >"$scratch/json"
for part in '"size":2000' '"workers":4' '"elements_checked":4000000' '"mismatches":0' \
    '"checksum":7996000000.0' '"locked_total":31984000000.0'; do
    holds "$part" "$scratch/json"
done
[ "$(status example shared_matrix -- --size 300 --corrupt 5,7 --json)" = 1 ] || fail "an element was spoilt, and not found"
holds '"mismatches":1' "$scratch/out"
[ "$(status example shared_matrix -- --size 4294967296)" = 2 ] || fail "a size that overflows"
[ "$(wc -l <"$scratch/err")" = 1 ] || fail "not one line: $(cat "$scratch/err")"

echo "-- shared_matrix --name"
example shared_matrix -- --size 500 --name "$name" | tee "$scratch/text"
[ "$(status example shared_matrix -- --size 500 --name "$name")" = 2 ] || fail "a name was given twice"
holds "taken" "$scratch/err"
example shared_matrix -- --attach "$name"
open=$(grep 'np.load' "$scratch/text")
remove=$(grep 'os.remove' "$scratch/text")
if numpy; then
    sh -c "$open"
    sh -c "${open/print(a)/a[3, 4] = -1; a.flush()}"
    [ "$(status example shared_matrix -- --attach "$name" --json)" = 1 ] || fail "what NumPy wrote was not found"
    holds '"mismatches":1' "$scratch/out"
    sh -c "$remove"
else
    echo "SKIPPED: the printed lines of Python: no python3 with NumPy"
    rm "$kept"
fi
[ ! -e "$kept" ] || fail "$kept is still there"
[ "$(status example shared_matrix -- --attach "$name")" = 2 ] || fail "the name is gone, and was opened"

echo "-- correlation"
example correlation -- --workers 4 --out "$scratch/wine.corr.npy" --png "$scratch/wine.png"
[ "$(head -c 4 "$scratch/wine.png" | tail -c 3)" = PNG ] || fail "no PNG"
if numpy; then
    python3 - "$scratch/wine.corr.npy" examples/data/wine.corr.npy <<'PYTHON'
import sys
import numpy as np
np.testing.assert_allclose(np.load(sys.argv[1]), np.load(sys.argv[2]), rtol=0, atol=1e-10)
PYTHON
    target=$(cargo metadata --format-version 1 --no-deps --locked | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
    ci/correlation.py "$target/release/examples/correlation" --big
else
    echo "SKIPPED: correlations against NumPy: no python3 with NumPy"
fi

# The rest of the course, by the command that stands in the first lines of each; in $scratch, where the pictures go.
manifest=$PWD/Cargo.toml
course() { # the file; then what it has to print
    local file=$1 words text=$scratch/$1.text
    read -ra words < <(sed -n 's/^\/\/! `\(cargo run [^`]*\)`.*/\1/p' "examples/$file")
    [ "${words[*]:0:4}" = "cargo run --release --example" ] || fail "no command in examples/$file"
    echo "-- ${words[*]}"
    (cd "$scratch" && timeout 300 cargo run --quiet --locked --manifest-path "$manifest" --package ndshm-examples "${words[@]:2}") |
        tee "$text" || fail "examples/$file"
    for part in "${@:2}"; do holds "$part" "$text"; done
}
picture() { [ "$(head -c 4 "$scratch/$1" | tail -c 3)" = PNG ] || fail "no picture $1"; }

course 01_shared_matrix.rs "all are i + j"
course 02_histogram.rs "400000 throws, all counted"
course 03_heat.rs "mean temperature 0." "drawn: heat.png"
picture heat.png
course 04_matmul.rs "the product is right"
course 05_correlation.rs "written: wine.png"
picture wine.png
(
    export NDSHM_DIR=$scratch # whatever tables others have
    course 06_writer.rs "$scratch/ndshm.table" &
    writer=$! # now: a process substitution sets it anew
    course 06_reader.rs "[490, 491, 492, 493]"
    wait "$writer" || fail "the writer"
)
[ ! -e "$scratch/ndshm.table" ] || fail "the table is still there"
course 07_killed_worker.rs "was killed by SIGKILL" "put back as it was" "every element is right"
course 08_frames.rs "rank 0 made 200 of 200 frames" "rank 1 saw " "rank 2 saw "
course 09_mandelbrot.rs "rank 3 did " "drawn: mandelbrot.png"
picture mandelbrot.png

left=$(find /dev/shm -maxdepth 1 -name "*$name*")
[ -z "$left" ] || fail "left in /dev/shm: $left"
echo "all right"
