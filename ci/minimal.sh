#!/usr/bin/env bash
# The lowest versions that Cargo.toml allows: the published crates and their tests build with them, and the array's run.
# The benchmarks' rivals and loom would raise what is asked of others, so without benches and models.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-$PWD/target}/minimal
copy=$target/copy
rm -rf "$copy"
mkdir -p "$copy"
tar -cf - Cargo.toml README.md crates examples docs | tar -xf - -C "$copy"
cd "$copy"
sed -i -e '/^exclude = /d' -e 's|^members = .*|members = ["crates/*"]\nexclude = ["crates/ndshm-faults", "crates/ndshm-models", "crates/ndshm-mpi", "crates/ndshm-python", "examples"]|' Cargo.toml

# An unstable option of cargo; the code itself is built as it always is.
RUSTC_BOOTSTRAP=1 cargo -Z direct-minimal-versions generate-lockfile
export CARGO_TARGET_DIR=$target
cargo check --workspace --all-targets --locked
cargo test --quiet --package ndshm-array --locked --lib --test arithmetic --test npy --test claims
