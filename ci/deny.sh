#!/usr/bin/env bash
# Licences, doubled dependencies and sources, as deny.toml allows them. Takes cargo-deny (`cargo install cargo-deny`).
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v cargo-deny >/dev/null; then
    echo "SKIPPED: licences, doubled dependencies, sources: no cargo-deny here" >&2
    exit 0
fi
cargo deny --locked check licenses bans sources
