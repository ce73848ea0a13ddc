#!/usr/bin/env bash
# Is what users install right? Packs the library, reads the tarball, lints its types and exports, then installs
# it the way a user does, in apps of their own: see check-apps.sh.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
starters=
trap '[[ -z $starters ]] || kill "$starters" 2>/dev/null || true; rm -rf "$work"' EXIT

say() { printf '\n== %s\n' "$*"; }
fail() {
  printf 'check:package: %s\n' "$*" >&2
  exit 1
}

cd "$root"

say 'build and pack'
tarball=${PACKAGE_TARBALL:-$(bash scripts/pack.sh "$work")}
[[ -f $tarball ]] || fail 'expected npm pack to write one tarball'

export MODULES=${MODULES:-$work}

# Beside the rest, which leaves a processor idle for much of the time. What it prints comes last.
bash scripts/check-starters.sh "$tarball" >"$work/starters.log" 2>&1 &
starters=$!

say 'contents of the tarball'
mkdir "$work/content"
tar -xzf "$tarball" -C "$work/content" --strip-components=1
(cd "$work/content" && find . -type f | sed 's|^\./||' | sort) >"$work/files"
cat "$work/files"

while read -r file; do
  case $file in
    package.json | schematics.json | LICENSE | README.md | CHANGELOG.md | SECURITY.md) ;;
    dist/*.js | dist/*.d.ts | docs/*.md | docs/*.png | docs/*.svg) ;;
    *) fail "expected only dist/**/*.{js,d.ts}, docs/*.{md,png,svg}, schematics.json and the documents beside it in the tarball, got $file" ;;
  esac
  case $file in
    *.spec.* | *.test.* | */test/* | */demo/*) fail "expected no test and no demo in the tarball, got $file" ;;
  esac
done <"$work/files"
pages=$(grep -oE 'docs/[a-z-]+\.(md|png)' README.md | sort -u)
for file in package.json schematics.json README.md CHANGELOG.md SECURITY.md LICENSE dist/index.js dist/index.d.ts $pages; do
  grep -qxF "$file" "$work/files" || fail "expected $file in the tarball"
done
if grep -rlE '^//[#@] sourceMappingURL=' "$work/content/dist"; then
  fail 'expected no sourceMappingURL in the files above: the tarball holds no source maps'
fi

say 'types come from packages that users have'
node --input-type=module - "$work/content" <<'EOF'
  import { readdirSync, readFileSync } from 'node:fs';
  import { join } from 'node:path';
  const root = process.argv[2];
  const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const known = ['node', ...Object.keys({ ...dependencies, ...peerDependencies })];
  const isKnown = (name) => name.startsWith('node:') || known.some((one) => `${name}/`.startsWith(`${one}/`));
  const files = readdirSync(join(root, 'dist'), { recursive: true }).filter((file) => file.endsWith('.d.ts'));
  // Examples in comments may import what an app has.
  const strangers = files.flatMap((file) =>
    [...readFileSync(join(root, 'dist', file), 'utf8').replace(/\/\*[^]*?\*\//g, '').matchAll(/(?:from|import|import\(|types=)\s*["']([^"'.]+)["']/g)]
      .filter(([, name]) => !isKnown(name))
      .map(([, name]) => `${file} needs the types of ${name}`),
  );
  if (files.length === 0) strangers.push('there are no types');
  for (const stranger of strangers) console.error(stranger);
  process.exit(strangers.length > 0 ? 1 : 0);
EOF

say 'publint'
npx --no-install publint run "$tarball" --strict

say 'are the types wrong?'
# Also for `"module": "commonjs"` of older starters, which does not read `exports`. That `require` gets ESM is meant.
npx --no-install attw "$tarball" --profile strict --ignore-rules cjs-resolves-to-esm --no-color

bash scripts/check-apps.sh "$tarball"
starters_status=0
wait "$starters" || starters_status=$?
starters=
cat "$work/starters.log"
((starters_status == 0)) || fail 'expected the starters to be fine, see above'

say 'the package is fine'
