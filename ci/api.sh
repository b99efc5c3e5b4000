#!/usr/bin/env bash
# The public API of each library, listed in docs/api/: a change of it is a change there, to be looked at. With --write the lists are
# written anew. Takes cargo-public-api and a nightly toolchain, whose rustdoc gives JSON.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v cargo-public-api >/dev/null || ! cargo +nightly --version >/dev/null 2>&1; then
    echo "SKIPPED: the lists of the public API: no cargo-public-api, or no nightly toolchain, here" >&2
    exit 0
fi
listed=$(mktemp -d)
trap 'rm -rf "$listed"' EXIT
for crate in ndshm-buffer ndshm-sync ndshm-array ndshm-workers ndshm; do
    cargo +nightly public-api --package "$crate" -sss >"$listed/$crate.txt"
done
if [ "${1-}" = --write ]; then
    mkdir -p docs/api
    cp "$listed"/*.txt docs/api/
else
    diff -r docs/api "$listed" || { echo "the public API is not as listed: look at it, then ci/api.sh --write" >&2; exit 1; }
fi
