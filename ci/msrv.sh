#!/usr/bin/env bash
# The declared minimum Rust version: no dependency asks for more. What of std is newer, clippy denies (`incompatible_msrv`).
# Where that compiler is, it builds the published crates.
set -euo pipefail
cd "$(dirname "$0")/.."

declared=$(cargo metadata --format-version 1 --locked --all-features | python3 -c '
import json, sys
metadata = json.load(sys.stdin)
version = lambda text: tuple(int(part) for part in (text.split(".") + ["0"])[:3])
members = set(metadata["workspace_members"])
declared = {p["rust_version"] for p in metadata["packages"] if p["id"] in members}
if len(declared) != 1 or None in declared:
    sys.exit(f"packages of the workspace declare {declared}")
declared = declared.pop()
newer = [
    "{name} {version} asks for Rust {rust_version}".format(**p)
    for p in metadata["packages"]
    if p["rust_version"] and version(p["rust_version"]) > version(declared)
]
if newer:
    sys.exit("\n".join([f"declared: Rust {declared}"] + newer))
told = sum(1 for p in metadata["packages"] if p["rust_version"])
total = len(metadata["packages"])
print(f"Rust {declared}: enough for the {told} of {total} packages that say what they need", file=sys.stderr)
print(declared)')

if ! cargo "+$declared" --version >/dev/null 2>&1; then
    echo "SKIPPED: a build by Rust $declared itself: not on this machine" >&2
    exit 0
fi
CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/msrv cargo "+$declared" check --workspace --exclude ndshm-benches --all-targets --locked
