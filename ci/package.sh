#!/usr/bin/env bash
# Every crate packs, and builds from what was packed.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo package --workspace --allow-dirty --locked
