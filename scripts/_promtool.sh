# Sourced by the other scripts: makes sure that promtool is there, which parses and plays the alerts.
# Needs _venv.sh.

require_promtool() {
  command -v promtool >/dev/null 2>&1 && return
  command -v apt-get >/dev/null 2>&1 \
    || fail "these tests need promtool 2.42 or newer on PATH, and this is no Debian or Ubuntu to install it on" 3
  echo "Installing Debian's prometheus for its promtool (its service is not started)"
  mkdir -p var/log
  if ! install_without_service prometheus > var/log/apt-prometheus.log 2>&1; then
    tail -n 20 var/log/apt-prometheus.log >&2
    fail "cannot install promtool; run 'apt-get install prometheus' as root, or put one on PATH, then again" 3
  fi
}

# Where it cannot be had, the other suites still tell what they know.
ensure_promtool() { (require_promtool); }
