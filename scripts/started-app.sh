# To be sourced: an app that is started in a process group of its own (npm, its shell and Node), and stopped as a whole.
# Needs `fail`.

app=

# As many ports that are free, below those that systems give to whoever asks for any: one of these would soon be taken.
free_ports() {
  node -e '
    const { createServer } = require("node:net");
    const isFree = (port) =>
      new Promise((resolve) => {
        const server = createServer().once("error", () => resolve(false));
        server.listen(port, () => server.close(() => resolve(true)));
      });
    const find = async (count) => {
      const found = new Set();
      while (found.size < count) {
        const port = 20_000 + Math.floor(Math.random() * 12_000);
        if (await isFree(port)) found.add(port);
      }
      return [...found].join(" ");
    };
    find(Number(process.argv[1])).then(console.log);' "$1"
}

# start_app 'ports' command…: starts it, and waits until each of the ports answers. What it prints is in app.log.
start_app() {
  local ports=$1 deadline=$((SECONDS + 120)) port
  shift
  setsid "$@" >app.log 2>&1 </dev/null &
  app=$!
  for port in $ports; do
    until (exec 3<>"/dev/tcp/localhost/$port") 2>/dev/null; do
      kill -0 "$app" 2>/dev/null || app_failed "expected the app to listen on $port, it ended"
      ((SECONDS < deadline)) || app_failed "expected the app to listen on $port within two minutes"
      sleep 0.2
    done
  done
}

app_failed() {
  cat app.log >&2
  fail "$1"
}

stop_app() {
  [[ -n $app ]] || return 0
  kill -TERM -- "-$app" 2>/dev/null || true
  wait "$app" 2>/dev/null || true
  while kill -0 -- "-$app" 2>/dev/null; do sleep 0.1; done
  app=
}
