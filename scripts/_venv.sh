# Sourced by the other scripts: makes .venv hold what the given lock names, and puts it on PATH.
# Usage: prepare_venv runtime|dev|docs   (dev includes runtime; docs adds what builds the site)

fail() { printf '%s: %s\n' "$(basename "$0")" "$1" >&2; exit "${2:-1}"; }

find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3.13 python3.12 python3.11 python3; do
    [ -n "$candidate" ] || continue
    if command -v "$candidate" >/dev/null 2>&1 \
      && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  return 1
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null 2>&1; then sudo "$@"; else return 1; fi
}

# Debian's python3 may come without ensurepip; the package python3-venv adds it.
create_venv() {
  local python=$1
  if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    echo "Python has no ensurepip: installing Debian's python3-venv"
    { as_root apt-get update -qq && as_root apt-get install -y -qq python3-venv >/dev/null; } \
      || fail "cannot create a virtual environment; run 'apt-get install python3-venv' as root, then again" 3
  fi
  "$python" -m venv .venv
}

# What pip says goes to a file: it is of interest only when it fails. Compiling all that is installed
# would take ten seconds; what is used is compiled at its first use.
pip_install() {
  if ! .venv/bin/python -m pip install --quiet --no-compile --no-input --disable-pip-version-check --no-deps "$@" \
    >> var/log/pip.log 2>&1; then
    tail -n 20 var/log/pip.log >&2
    return 1
  fi
}

# To unpack is a processor's work, and pip takes one: so a lock is installed in parts, two at a time.
# What installs and builds comes before them.
install_lock() {
  local lock=$1 parts status=0
  parts=$(mktemp -d)
  awk -v parts="$parts" '
    /^[^ #]/ { part = /^(pip|setuptools)==/ ? "first" : "part" n++ % 4 }
    { print > (parts "/" part) }' "$lock"
  [ ! -e "$parts/first" ] || pip_install --require-hashes -r "$parts/first" || status=1
  export -f pip_install
  [ "$status" != 0 ] || printf '%s\0' "$parts"/part* \
    | xargs -0 -n 1 -P 2 bash -c 'pip_install --require-hashes -r "$1"' _ || status=1
  rm -rf "$parts"
  return "$status"
}

prepare_venv() {
  local lock="requirements/$1.lock" stamp digest python
  python=$(find_python) || fail "needs Python 3.11 or newer on PATH (or PYTHON=/path/to/python3)" 3
  [ -x .venv/bin/python ] || create_venv "$python"
  digest=$(cat "$lock" pyproject.toml medvid/pyproject.toml | sha256sum | cut -d' ' -f1)
  stamp=".venv/.installed-$1"
  if [ "$(cat "$stamp" 2>/dev/null)" != "$digest" ]; then
    echo "Installing the locked dependencies ($lock) into .venv"
    mkdir -p var/log && : > var/log/pip.log
    install_lock "$lock" || fail "pip could not install $lock; the lines above say why" 3
    pip_install --no-build-isolation -e medvid -e . \
      || fail "pip could not install the project itself; the lines above say why" 3
    printf '%s' "$digest" > "$stamp"
  fi
  PATH="$PWD/.venv/bin:$PATH"
  export PATH
  unset PYTHONDONTWRITEBYTECODE  # processes start a fifth sooner where modules stay compiled
}
