# Sourced by the other scripts: makes sure that Debian's nginx and HAProxy are there (their programs,
# not their services: tests run some of their own before gateways). Needs _venv.sh.

require_proxies() {
  local name
  for name in nginx haproxy; do
    [ -x "/usr/sbin/$name" ] && continue
    command -v apt-get >/dev/null 2>&1 \
      || fail "a test needs /usr/sbin/$name, and this is no Debian or Ubuntu to install it on" 3
    echo "Installing Debian's $name (its service is not started)"
    mkdir -p var/log
    if ! install_without_service "$name" > "var/log/apt-$name.log" 2>&1; then
      tail -n 20 "var/log/apt-$name.log" >&2
      fail "cannot install $name; run 'apt-get install $name' as root, then again" 3
    fi
  done
}
