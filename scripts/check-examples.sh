#!/usr/bin/env bash
# Do the examples run? Installs a tarball of the package into a copy of each, the way a user does, starts it, and runs
# its `npm test`. Where there is Chromium, a real browser uses the two that have pages. With arguments: these examples.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
database=

. "$root/scripts/bring-sqlite3.sh"
. "$root/scripts/install-modules.sh"
. "$root/scripts/started-app.sh"

say() { printf '\n== %s\n' "$*"; }
fail() {
  printf 'check:examples: %s\n' "$*" >&2
  exit 1
}
sql() { psql -h "${PGHOST:-127.0.0.1}" -p "${PGPORT:-5432}" -U "${PGUSER:-postgres}" -w -d "${PGDATABASE:-test}" -qc "$1"; }

clean_up() {
  stop_app
  [[ -z $database ]] || sql "DROP DATABASE IF EXISTS $database WITH (FORCE)" || true
  rm -rf "$work"
}
trap clean_up EXIT

cd "$root"
tarball=${PACKAGE_TARBALL:-$(bash scripts/pack.sh "$work")}

examples=("$@")
((${#examples[@]} > 0)) || mapfile -t examples < <(cd examples && printf '%s\n' */ | tr -d /)
((${#examples[@]} > 0)) || fail 'expected examples'

for example in "${examples[@]}"; do
  started=$SECONDS
  say "$example: install"
  cp -R "$root/examples/$example" "$work/$example"
  cd "$work/$example"
  rm -rf node_modules dist .env ./*.sqlite*
  cp "$tarball" nest-sessions.tgz
  install_modules ./nest-sessions.tgz
  [[ ! -d node_modules/sqlite3 ]] || bring_sqlite3

  if [[ $example == fastify-postgres ]]; then
    if ! sql 'SELECT 1' >/dev/null 2>&1; then
      [[ -z ${CI:-} ]] || fail 'expected PostgreSQL, see scripts/databases.sh'
      say "$example: skipped, there is no PostgreSQL at ${PGHOST:-127.0.0.1}:${PGPORT:-5432}"
      continue
    fi
    database=nest_sessions_example_$$
    sql "CREATE DATABASE $database"
    export DATABASE_URL=postgres://${PGUSER:-postgres}:${PGPASSWORD:-}@${PGHOST:-127.0.0.1}:${PGPORT:-5432}/$database
  fi

  read -r PORT FRONT_END_PORT PROVIDER_PORT <<<"$(free_ports 3)"
  export PORT FRONT_END_PORT PROVIDER_PORT
  ports=$PORT
  [[ $example != spa-and-cors ]] || ports="$PORT $FRONT_END_PORT"
  [[ $example != passport-and-oauth ]] || ports="$PORT $PROVIDER_PORT"

  say "$example: start"
  start_app "$ports" npm start
  npm test || app_failed "expected npm test of $example to pass"
  node "$root/scripts/use-examples.mjs" "$example" || app_failed "expected a browser to be able to use $example"
  stop_app
  say "$example: fine, $((SECONDS - started)) s"
done
