#!/usr/bin/env bash
# Do the examples run? Installs a tarball of the package into a copy of each, the way a user does, starts it, and runs
# its `npm test`. Where there is Chromium, a real browser uses the two that have pages. With arguments: these examples.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
app=
database=

. "$root/scripts/bring-sqlite3.sh"

say() { printf '\n== %s\n' "$*"; }
fail() {
  printf 'check:examples: %s\n' "$*" >&2
  exit 1
}
sql() { psql -h "${PGHOST:-127.0.0.1}" -p "${PGPORT:-5432}" -U "${PGUSER:-postgres}" -w -d "${PGDATABASE:-test}" -qc "$1"; }

# The app is a process group of its own: npm, its shell and Node.
stop() {
  [[ -n $app ]] || return 0
  kill -TERM -- "-$app" 2>/dev/null || true
  wait "$app" 2>/dev/null || true
  while kill -0 -- "-$app" 2>/dev/null; do sleep 0.1; done
  app=
}
clean_up() {
  stop
  [[ -z $database ]] || sql "DROP DATABASE IF EXISTS $database WITH (FORCE)" || true
  rm -rf "$work"
}
trap clean_up EXIT

# As many ports that are free.
free_ports() {
  node -e '
    const { createServer } = require("node:net");
    const servers = Array.from({ length: Number(process.argv[1]) }, () => createServer().listen(0));
    Promise.all(servers.map((one) => new Promise((resolve) => one.on("listening", resolve)))).then(() => {
      console.log(servers.map((one) => one.address().port).join(" "));
      for (const one of servers) one.close();
    });' "$1"
}

# Until every one of these ports answers, or the app has ended.
wait_for() {
  local port
  for port in "$@"; do
    until (exec 3<>"/dev/tcp/localhost/$port") 2>/dev/null; do
      kill -0 "$app" 2>/dev/null || fail "expected the app to listen on $port, it ended"
      ((SECONDS < deadline)) || fail "expected the app to listen on $port within two minutes"
      sleep 0.2
    done
  done
}

cd "$root"
npm run build
npm pack --silent --ignore-scripts --pack-destination "$work" >/dev/null
tarball=$(find "$work" -maxdepth 1 -name '*.tgz')

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
  npm pkg set dependencies.nest-sessions=file:./nest-sessions.tgz
  npm i --no-audit --no-fund --ignore-scripts --prefer-offline --loglevel error
  npm ls >/dev/null
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
  ports=("$PORT")
  [[ $example != spa-and-cors ]] || ports+=("$FRONT_END_PORT")
  [[ $example != passport-and-oauth ]] || ports+=("$PROVIDER_PORT")

  say "$example: start"
  deadline=$((SECONDS + 120))
  setsid npm start >app.log 2>&1 </dev/null &
  app=$!
  # `&&`, because Bash does not stop at a failure inside what `||` follows.
  (wait_for "${ports[@]}" && npm test && node "$root/scripts/use-examples.mjs" "$example") || {
    cat app.log >&2
    fail "$example does not do what it says"
  }
  stop
  say "$example: fine, $((SECONDS - started)) s"
done
