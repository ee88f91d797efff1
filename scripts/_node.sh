# Sourced by the other scripts: makes sure that npm is there, which makes and compiles TypeScript types.
# Needs _venv.sh.

require_npm() {
  command -v npm >/dev/null 2>&1 && return
  command -v apt-get >/dev/null 2>&1 \
    || fail "TypeScript types need Node.js 18 or newer with npm on PATH, and this is no Debian or Ubuntu to install it on" 3
  echo "Installing Debian's Node.js and npm"
  mkdir -p var/log
  if ! install_without_service nodejs npm > var/log/apt-npm.log 2>&1; then
    tail -n 20 var/log/apt-npm.log >&2
    fail "cannot install npm; run 'apt-get install nodejs npm' as root, or put one on PATH, then again" 3
  fi
}

# Where it cannot be had, the other suites still tell what they know.
ensure_npm() { (require_npm); }
