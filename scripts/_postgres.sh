# Sourced by the other scripts: makes sure that Debian's Postgres is there, for the tests of TLS, which
# the embedded one was built without (its programs, not its service). Needs _venv.sh.

require_postgres() {
  compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null && return
  command -v apt-get >/dev/null 2>&1 \
    || fail "tests of TLS need Debian's Postgres, and this is no Debian or Ubuntu to install it on" 3
  echo "Installing Debian's postgresql (its service is not started)"
  mkdir -p var/log
  if ! install_without_service postgresql > var/log/apt-postgresql.log 2>&1; then
    tail -n 20 var/log/apt-postgresql.log >&2
    fail "cannot install Postgres; run 'apt-get install postgresql' as root, then again" 3
  fi
}
