# Shared by the scripts beside this one, which set `name`, define `install_server` and
# `start_server`, and call `serve "$@"`. Sourced, never run.
#
#   SCRIPT install DIR   puts the server's software below DIR, once
#   SCRIPT up DIR        installs, starts on 127.0.0.1, and prints the file to source: it exports
#                        the URL and the credentials that the tests read
#   SCRIPT restart DIR   stops it and starts it on the same data and port; only PostgreSQL
#   SCRIPT down DIR      stops it and deletes its data; the logs stay until the next `up`
#
# Nothing is written outside of DIR, except by apt-get for what the machine lacks.
set -euo pipefail

serve() {
  if [ $# != 2 ]; then echo "usage: $0 install|up|restart|down DIR" >&2; exit 2; fi
  mkdir -p "$2/run"
  root=$(cd "$2" && pwd)
  software=$root/$name
  run=$root/run/$name
  case $1 in
    install) install_once ;;
    up)
      install_once
      stop
      rm -rf "$run"
      mkdir -p "$run/data"
      trap 'status=$?; [ $status = 0 ] || { show_logs; stop; }' EXIT
      start_server
      echo "$run/env"
      ;;
    restart)
      declare -F run_server >/dev/null || fail 'cannot be restarted'
      halt
      run_server
      ;;
    down) stop ;;
    *) echo "usage: $0 install|up|restart|down DIR" >&2; exit 2 ;;
  esac
}

say() { echo "$name: $*" >&2; }
fail() { say "$*"; exit 1; }

# Two runs may ask for the same software at once.
install_once() {
  exec 9>"$root/$name.lock"
  flock -w 900 9 || fail 'another run is still installing it'
  install_server
  exec 9>&-
}

# Installs Debian packages, as the last resort for what is not on the machine.
apt_install() {
  [ "$(id -u)" = 0 ] || fail "install these packages first: $*"
  apt_get install "$@"
}

# Runs apt-get, one at a time of the servers; fetches the package lists if the machine has none.
apt_get() {
  local log=$root/$name-apt.log
  say "apt-get $*"
  (
    flock -w 900 8
    if ! compgen -G '/var/lib/apt/lists/*_Packages*'; then timeout 300 apt-get update -q; fi
    timeout 600 apt-get -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 "$@"
  ) 8>"$root/apt.lock" >"$log" 2>&1 || { tail -n 20 "$log" >&2; fail "apt-get $* failed"; }
}

# `need COMMAND PACKAGE…` installs the packages unless the command is there.
need() {
  command -v "$1" >/dev/null || apt_install "${@:2}"
}

free_port() {
  local port
  for _ in {1..100}; do
    port=$((20000 + RANDOM % 12000))
    if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then echo "$port"; return; fi
  done
  fail 'no free port'
}

# `launch LABEL COMMAND…` starts a process of the server and remembers it for `stop`.
launch() {
  local label=$1
  shift
  setsid "$@" >>"$run/$label.log" 2>&1 </dev/null 9>&- &
  echo "$! $(birth $!) ${stop_signal:-TERM}" >>"$run/processes"
}

# The start time of a process, which tells it from a later one with the same id.
birth() { cut -d' ' -f22 "/proc/$1/stat" 2>/dev/null || true; }

# Stops the processes, last started first.
halt() {
  [ -f "$run/processes" ] || return 0
  local pid born signal
  while read -r pid born signal; do
    [ "$(birth "$pid")" = "$born" ] || continue
    kill "-$signal" "$pid" 2>/dev/null || continue
    for _ in {1..100}; do
      [ "$(birth "$pid")" = "$born" ] || continue 2
      sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null || true
  done < <(tac "$run/processes")
  rm -f "$run/processes"
}

# Stops the server and deletes its data.
stop() {
  halt
  if [ -L "$run/data" ]; then rm -rf "$(readlink "$run/data")"; fi
  rm -rf "$run/data" "$run/env"
}

show_logs() {
  local log
  for log in "$run"/*.log; do
    [ -s "$log" ] || continue
    printf -- '--- %s\n' "$log" >&2
    tail -n 15 "$log" >&2
  done
}

# `await SECONDS COMMAND…` repeats a command until it succeeds.
await() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $deadline ] || fail "not up in time: $*"
    sleep 0.1
  done
}

# `provide NAME=VALUE…` writes what the tests read.
provide() {
  local pair
  for pair in "$@"; do printf 'export %s=%q\n' "${pair%%=*}" "${pair#*=}"; done >"$run/env"
}
