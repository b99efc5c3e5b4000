#!/usr/bin/env bash
# Every planted bug is caught by its model. (The models themselves are tests of their package.)
set -euo pipefail
cd "$(dirname "$0")/.."

cargo run --release --locked -p ndshm-models --bin plants
