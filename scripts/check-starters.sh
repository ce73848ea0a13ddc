#!/usr/bin/env bash
# Does `nest add nest-sessions` work in a new app? Makes the starters of Nest 11 and 12 with their own CLI, adds a
# tarball of the package, builds, signs in, runs the starter's own tests, and adds it once more. Further arguments: only
# these versions of Nest.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tarball=$(realpath "$1")
majors=("${@:2}")
((${#majors[@]} > 0)) || majors=(11 12)
cache="$root/node_modules/.cache/nest-sessions"
work=$(mktemp -d)
. "$root/scripts/bring-sqlite3.sh"
. "$root/scripts/install-modules.sh"
. "$root/scripts/started-app.sh"
trap 'stop_app; rm -rf "$work"' EXIT

say() { printf '\n== %s\n' "$*"; }
fail() {
  printf 'check-starters: %s\n' "$*" >&2
  exit 1
}

# The CLI of that major version: that of the repository, or one that is installed once.
cli() {
  local folder="$root"
  [[ $("$root/node_modules/.bin/nest" --version) == "$1".* ]] || folder="$cache/nest-cli-$1"
  if [[ ! -x $folder/node_modules/.bin/nest ]]; then
    mkdir -p "$folder"
    npm i --prefix "$folder" --no-save --no-audit --no-fund --ignore-scripts --loglevel error "@nestjs/cli@$1" >&2
  fi
  printf '%s\n' "$folder/node_modules/.bin/nest"
}

# What somebody writes next: a handler that signs in, and one for who is signed in.
use_sessions() {
  cat >src/app.controller.ts <<'TS'
import { Body, Controller, Get, Post } from '@nestjs/common';
import { RequireAuth, Session } from 'nest-sessions';
SERVICE

@Controller()
export class AppController {
  constructor(private readonly appService: AppService) {}

  @Get()
  getHello(): string {
    return this.appService.getHello();
  }

  @Post('login')
  login(@Body() body: { name: string }, @Session() session: Session) {
    return session.authenticate(body.name);
  }

  @Get('devices')
  @RequireAuth()
  devices(@Session() session: Session) {
    return session.list();
  }
}
TS
  local service
  service=$(grep -h 'AppService' src/app.module.ts | head -n 1)
  sed -i "s|^SERVICE\$|$service|" src/app.controller.ts
}

check_requests() {
  cat >requests.mjs <<'JS'
import assert from 'node:assert/strict';
const url = `http://localhost:${process.env.PORT}`;
const body = JSON.stringify({ name: `ada-${Date.now()}` });
const json = { 'Content-Type': 'application/json' };
assert.equal((await fetch(`${url}/devices`)).status, 401);
const login = await fetch(`${url}/login`, { method: 'POST', headers: json, body });
assert.equal(login.status, 201);
const Cookie = login.headers.getSetCookie()[0].split(';', 1)[0];
const devices = await (await fetch(`${url}/devices`, { headers: { Cookie } })).json();
assert.deepEqual(devices.map(({ current }) => current), [true]);
console.log('signed in, and listed the device');
JS
  node requests.mjs
}

for major in "${majors[@]}"; do
  nest=$(cli "$major")
  cd "$work"
  say "Nest $major: the starter of $("$nest" --version)"
  "$nest" new "starter-$major" --skip-install --skip-git --package-manager npm >/dev/null
  cd "starter-$major"
  cp "$tarball" nest-sessions.tgz
  install_modules ./nest-sessions.tgz

  say "Nest $major: nest add nest-sessions"
  npx --no-install nest add nest-sessions --skip-install -- --skip-install | tee added.log
  key=$(sed -n 's/^SESSION_KEY=//p' .env)
  [[ ${#key} -eq 43 ]] || fail 'expected .env to have a key of 32 bytes, in base64url'
  ! grep -qF "$key" added.log || fail 'expected the key not to be printed'
  install_modules
  bring_sqlite3
  use_sessions

  say "Nest $major: builds, starts, signs in"
  npm run build
  PORT=$(free_ports 1)
  export PORT
  start_app "$PORT" npm run start:prod
  check_requests || app_failed 'expected the app to know who is signed in'
  stop_app
  start_app "$PORT" npm run start:dev
  check_requests || app_failed 'expected the app to know who is signed in'
  stop_app

  say "Nest $major: the tests of the starter"
  npm run test:e2e
  npm test

  say "Nest $major: once more"
  before=$(cat src/*.ts .env .gitignore package.json)
  npx --no-install nest add nest-sessions --skip-install -- --skip-install | tee again.log
  grep -q 'nothing has been changed' again.log || fail 'expected it to say that nothing has been changed'
  [[ $(cat src/*.ts .env .gitignore package.json) == "$before" ]] || fail 'expected nothing to be changed'
done
