#!/usr/bin/env bash
# Format, lints, documentation, what dependencies declare: everything that needs no test to run. Sets of features: `ci/features.sh`.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo fmt --all --check
cargo clippy --workspace --all-targets --locked -- -D warnings
cargo clippy -p ndshm-sync --all-features --all-targets --locked -- -D warnings
# `portable` as the only backend, as on another unix.
RUSTFLAGS="--cfg ndshm_portable_only" CARGO_TARGET_DIR=target/portable-only \
    cargo clippy -p ndshm-sync -p ndshm-buffer --features portable --locked -- -D warnings
RUSTFLAGS="--cfg ndshm_portable_only" CARGO_TARGET_DIR=target/portable-only \
    cargo clippy -p ndshm-buffer --no-default-features --features portable --locked -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
RUSTDOCFLAGS="-D warnings" cargo doc -p ndshm-sync -p ndshm-buffer --all-features --no-deps --locked
ci/msrv.sh
ci/deny.sh
ci/api.sh
