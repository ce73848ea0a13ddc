# To be sourced: `npm i` in the app of the current folder. What the app before it on the same version of Nest has, it is
# given by hard links, so that npm only takes away and adds what differs. The result is that of its own package.json, as
# `npm ls` confirms. Needs `work`, a folder of this run, or `MODULES`, one that several scripts share.

install_modules() {
  local options=(--no-audit --no-fund --ignore-scripts --prefer-offline --loglevel error)
  local seed="${MODULES:-$work}/modules-of-nest-$(nest_major)"
  [[ -d node_modules || ! -d $seed ]] || link_modules "$seed" node_modules
  npm i "${options[@]}" "$@"
  [[ -d $seed ]] || link_modules node_modules "$seed"
  npm ls >/dev/null || fail 'expected every peer dependency to be satisfied, see npm ls above'
}

nest_major() { node -p '/\d+/.exec(require("./package.json").dependencies["@nestjs/core"])[0]'; }

# Whole or not at all, since others may look for it meanwhile.
link_modules() {
  local part="$2.$$"
  cp -al "$1" "$part"
  # npm writes its list of what is there in place, which must not change that of the other app.
  cp "$part/.package-lock.json" "$part/.package-lock.own"
  mv "$part/.package-lock.own" "$part/.package-lock.json"
  mv -T "$part" "$2" 2>/dev/null || rm -rf "$part"
}
