#!/usr/bin/env bash
# The fuzz targets, with AddressSanitizer: `ci/fuzz.sh [SECONDS [TARGET...]]`. Takes a nightly compiler and cargo-fuzz
# (`cargo install cargo-fuzz`). Not part of .ci/run.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
shift || true
[ $# -gt 0 ] || set -- $(cargo +nightly fuzz list)
scratch=$(mktemp -d /dev/shm/ndshm-fuzz-XXXXXX)
trap 'rm -rf "$scratch"' EXIT
for target in "$@"; do
    mkdir -p "$scratch/$target"
    NDSHM_FUZZ_DIR="$scratch/$target" cargo +nightly fuzz run "$target" -- \
        -max_total_time="$seconds" -timeout=20 -max_len=4096 -print_final_stats=1
done
