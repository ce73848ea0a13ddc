# To be sourced: makes the database servers that the specs expect, where there are none, and says where they are in the
# variables that the specs read. Needs apt-get for what is not installed. They end with `stop_databases`. They do not wait
# for the disk: each spec makes tables by the dozen, and nothing of them has to outlive the machine.

databases_folder=

install_databases() {
  local packages=()
  compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || packages+=(postgresql)
  [[ -x /usr/sbin/mariadbd ]] || packages+=(mariadb-server)
  [[ -f /usr/lib/galera/libgalera_smm.so ]] || packages+=(galera-4)
  [[ -x /usr/bin/rsync ]] || packages+=(rsync)
  [[ -x /usr/sbin/pgbouncer ]] || packages+=(pgbouncer)
  [[ -x /usr/sbin/nginx ]] || packages+=(nginx-light)
  [[ -x /usr/bin/redis-server ]] || packages+=(redis-server)
  [[ -x /usr/bin/strace ]] || packages+=(strace)
  ((${#packages[@]} == 0)) || { as_root apt-get update -qq && install_packages "${packages[@]}"; } || return 1
  [[ -x /usr/bin/valkey-server ]] || install_valkey
}

install_packages() {
  as_root apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

as_root() {
  local sudo=()
  [[ $(id -u) -eq 0 ]] || sudo=(sudo -n)
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive "$@"
}

# Debian 12 has it among its backports alone. They are added where the machine does not know them yet, and nothing else comes
# from there: apt takes a backport only where there is no other version.
install_valkey() {
  as_root apt-get update -qq || return 1
  apt-cache policy valkey-server | grep -q 'Candidate: [0-9]' || add_backports || return 1
  install_packages valkey-server
}

# The backports of this Debian, from where apt gets Debian itself.
add_backports() {
  local codename address key=/usr/share/keyrings/debian-archive-keyring.gpg
  codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
  address=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' 'Component: main' |
    awk -v release="$codename" '$1 == release { print $2; exit }')
  if [[ -z $address ]]; then
    printf 'No valkey-server: apt does not know it, nor where %s and its backports come from\n' "${codename:-this system}" >&2
    return 1
  fi
  printf 'deb [signed-by=%s] %s %s-backports main\n' "$key" "$address" "$codename" |
    as_root tee "/etc/apt/sources.list.d/$codename-backports.list" >/dev/null
  as_root apt-get update -qq
}

# No database server runs as root.
unprivileged() {
  if [[ $(id -u) -eq 0 ]]; then
    setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
  else
    "$@"
  fi
}

postgres_answers() {
  psql -h "${PGHOST:-127.0.0.1}" -p "${PGPORT:-5432}" -U "${PGUSER:-postgres}" -w -d "${PGDATABASE:-test}" -qtc 'SELECT 1' >/dev/null 2>&1
}

mariadb_answers() {
  mariadb -h "${MYSQL_HOST:-127.0.0.1}" -P "${MYSQL_TCP_PORT:-3306}" -u "${MYSQL_USER:-root}" "${MYSQL_DATABASE:-test}" \
    -e 'SELECT 1' >/dev/null 2>&1
}

# Only what queues of jobs use; sessions are not kept there.
redis_answers() {
  local address=${REDIS_URL:-redis://127.0.0.1:6379}
  address=${address#redis://}
  (exec 3<>"/dev/tcp/${address%%:*}/${address##*:}") 2>/dev/null
}

start_databases() {
  databases_folder=$(mktemp -d)
  chmod 755 "$databases_folder"
  postgres_answers || start_postgres || return 1
  mariadb_answers || start_mariadb || return 1
  redis_answers || start_redis
}

start_redis() {
  local data=$databases_folder/redis attempt
  export REDIS_URL=redis://127.0.0.1:63799
  make_folder "$data"
  (cd "$data" && unprivileged redis-server --port 63799 --bind 127.0.0.1 --save '' --daemonize yes --pidfile "$data/pid" >/dev/null)
  for attempt in {1..60}; do
    redis_answers && break
    sleep 0.5
  done
  redis_answers
}

start_postgres() {
  local data=$databases_folder/postgres bin
  bin=$(compgen -G '/usr/lib/postgresql/*/bin' | tail -n 1)
  export PGHOST=127.0.0.1 PGPORT=54329 PGUSER=postgres PGDATABASE=test
  make_folder "$data"
  (
    cd "$data" &&
      unprivileged "$bin/initdb" -D "$data/data" -U postgres --auth=trust -E UTF8 --locale=C >/dev/null &&
      unprivileged "$bin/pg_ctl" -D "$data/data" -w -t 60 -l "$data/log" \
        -o "-p $PGPORT -h 127.0.0.1 -k '' -c max_connections=200 -c fsync=off -c full_page_writes=off" start >/dev/null
  ) && psql -h 127.0.0.1 -p "$PGPORT" -U postgres -d postgres -qc 'CREATE DATABASE test' && postgres_answers
}

start_mariadb() {
  local data=$databases_folder/mariadb
  export MYSQL_HOST=127.0.0.1 MYSQL_TCP_PORT=33069 MYSQL_USER=root MYSQL_DATABASE=test
  make_folder "$data"
  (
    cd "$data" &&
      unprivileged mariadb-install-db --no-defaults --datadir="$data/data" --auth-root-authentication-method=normal >/dev/null
  ) || return 1
  (
    cd "$data" && unprivileged /usr/sbin/mariadbd --no-defaults --datadir="$data/data" --port="$MYSQL_TCP_PORT" \
      --bind-address=127.0.0.1 --socket="$data/socket" --pid-file="$data/pid" --max-connections=300 \
      --innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=0 >/dev/null 2>"$data/log" &
  )
  local attempt
  for attempt in {1..120}; do
    mariadb -h 127.0.0.1 -P "$MYSQL_TCP_PORT" -u root -e 'CREATE DATABASE IF NOT EXISTS test' >/dev/null 2>&1 && break
    sleep 0.5
  done
  mariadb_answers
}

make_folder() {
  mkdir -p "$1"
  [[ $(id -u) -ne 0 ]] || chown 65534:65534 "$1"
}

stop_databases() {
  [[ -n $databases_folder ]] || return 0
  local pid_file
  for pid_file in "$databases_folder"/postgres/data/postmaster.pid "$databases_folder"/mariadb/pid "$databases_folder"/redis/pid; do
    [[ ! -s $pid_file ]] || kill "$(head -n 1 "$pid_file")"
  done
  sleep 2
  rm -rf "$databases_folder"
}
