#!/usr/bin/env bash
# Do apps run on a tarball of the package? Installs it into copies of the apps in test/apps, the way a user does: a
# CommonJS app on Nest 11 and an ESM app on Nest 12. Each is compiled with the type tests, started, and runs its own
# specs with Jest, on Nest 12 with Vitest too, on every version of Node that the package supports. The one on Nest 11
# also runs what the suite says of protections on Nest 12, and tries sockets, streams of events and GraphQL.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tarball=$(realpath "$1")
nodes=(20 22 24)
cache="$root/node_modules/.cache/nest-sessions"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. "$root/scripts/bring-sqlite3.sh"
. "$root/scripts/install-modules.sh"

say() { printf '\n== %s\n' "$*"; }
fail() {
  printf 'check-apps: %s\n' "$*" >&2
  exit 1
}

# The folder of a Node of that major version: this one, or the npm package `node`, installed once.
node_folder() {
  if [[ $(node -p 'process.versions.node.split(".")[0]') == "$1" ]]; then
    dirname "$(node -p process.execPath)"
    return
  fi
  local folder="$cache/node-$1"
  if [[ ! -x $folder/node_modules/node/bin/node ]]; then
    mkdir -p "$folder"
    npm i --prefix "$folder" --no-save --no-audit --no-fund --ignore-scripts=false "node@$1" >&2
  fi
  printf '%s\n' "$folder/node_modules/node/bin"
}

install_app() {
  cp -R "$root/test/apps/$1" "$work/$1"
  cp -R "$root/test/types" "$work/$1/types"
  [[ $1 != nest11-cjs ]] || cp "$root/test/behaviour/protections.spec.ts" "$work/$1/"
  cp "$tarball" "$work/$1/nest-sessions.tgz"
  cd "$work/$1"
  install_modules ./nest-sessions.tgz
  bring_sqlite3
}

# Loads every entry point as this app loads packages.
load_entries() {
  local load='(path) => import(path)'
  [[ $(node -p "require('./package.json').type ?? ''") == module ]] || load='(path) => require(path)'
  cat >entries.mjs <<EOF
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
const require = createRequire(import.meta.url);
const load = $load;
const { name, exports } = JSON.parse(readFileSync('node_modules/nest-sessions/package.json', 'utf8'));
for (const path of Object.keys(exports).filter((path) => !path.endsWith('.json'))) {
  const entry = path.replace('.', name);
  console.log(entry, 'exports', Object.keys(await load(entry)).filter((key) => key !== '__esModule').join(', '));
}
EOF
  node entries.mjs
}

for app in nest11-cjs nest12-esm; do
  say "$app: installs"
  install_app "$app"

  say "$app: every entry point loads"
  load_entries

  say "$app: compiles, with the type tests"
  npm run build

  for major in "${nodes[@]}"; do
    folder=$(node_folder "$major")
    say "$app: starts and passes its specs on Node $("$folder/node" --version)"
    PATH="$folder:$PATH" timeout 300 npm start
    PATH="$folder:$PATH" npm test -- --ci --testTimeout=600000
    PATH="$folder:$PATH" npm run --if-present test:vitest -- --testTimeout=600000
  done
done
