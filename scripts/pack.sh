#!/usr/bin/env bash
# Builds the package and packs it into a folder; prints the path of the tarball.
set -euo pipefail

folder=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
npm run build >&2
npm pack --silent --ignore-scripts --pack-destination "$folder" >/dev/null
find "$folder" -maxdepth 1 -name '*.tgz'
