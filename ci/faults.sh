#!/usr/bin/env bash
# Every primitive of ndshm-sync under kills, stops and storms, for two minutes; segments of ndshm-buffer under kills and races; and faults planted in a lock, which that has to find.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo run --quiet --release --locked --package ndshm-faults -- --rounds 40000
cargo run --quiet --release --locked --package ndshm-faults --bin segments -- --rounds 5000
cargo test --release --locked --package ndshm-faults --test campaign
