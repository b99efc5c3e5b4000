#!/usr/bin/env bash
# Every published crate packs, and builds from what was packed.
set -euo pipefail
cd "$(dirname "$0")/.."

# The unpublished models are made of the sources of another package, and the faults are only run from here.
cargo package --workspace --exclude ndshm-models --exclude ndshm-faults --allow-dirty --locked
