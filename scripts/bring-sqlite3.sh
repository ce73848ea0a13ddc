# To be sourced: the driver `sqlite3` in the app of the current folder, without compiling it anew for each app. Needs
# `root`, the root of the repository.

version_of() { node -p "require('$1/package.json').version"; }

# The driver is compiled once: it is the same for every version of Node. (Node-API)
bring_sqlite3() {
  local compiled="$root/node_modules/sqlite3"
  if [[ -d $compiled/build/Release && $(version_of "$compiled") == $(version_of "$PWD/node_modules/sqlite3") ]]; then
    mkdir -p node_modules/sqlite3/build
    cp -R "$compiled/build/Release" node_modules/sqlite3/build/
  else
    npm rebuild sqlite3 --ignore-scripts=false
  fi
}
