#!/usr/bin/env bash
# Every published crate with every set of its features, alone: no feature comes from a sibling. Then the tests that a build
# of the whole workspace leaves out. Where cargo-hack is installed it makes the sets, else python3 does, from the same metadata.
set -euo pipefail
cd "$(dirname "$0")/.."

sets() { # a line for each: the package, and its features with commas
    cargo metadata --format-version 1 --no-deps --locked | python3 -c '
import itertools, json, sys
for package in json.load(sys.stdin)["packages"]:
    if package["publish"] == []:
        continue
    features = sorted(package["features"].keys() - {"default"})
    for size in range(len(features) + 1):
        for chosen in itertools.combinations(features, size):
            print(package["name"], ",".join(chosen))'
}

if command -v cargo-hack >/dev/null; then
    cargo hack clippy --workspace --ignore-private --feature-powerset --exclude-features default --locked -- -D warnings
else
    while read -r package features; do
        echo "-- $package: ${features:-none}"
        cargo clippy --quiet --package "$package" --no-default-features --features "$features" --locked -- -D warnings </dev/null
    done < <(sets)
fi

echo "== without serde"
cargo test --quiet --package ndshm-buffer --no-default-features --locked --lib --test segments --test passing --test growth
cargo test --quiet --package ndshm-buffer --no-default-features --locked --doc

echo "== with bars on the terminal"
cargo test --quiet --package ndshm-workers --features progress --locked --lib --test progress

echo "== the facade: without the portable backends, and with everything"
cargo test --quiet --package ndshm --locked --test facade
cargo test --quiet --package ndshm --all-features --locked --test facade
