# Sourced by the other scripts: makes sure that Debian's Chromium is there, which the browser tests
# drive. No tool downloads a browser of its own. Needs _venv.sh.

CHROMIUM=/usr/bin/chromium

require_chromium() {
  [ -x "$CHROMIUM" ] && return
  command -v apt-get >/dev/null 2>&1 \
    || fail "the browser tests need $CHROMIUM, and this is no Debian or Ubuntu to install it on" 3
  echo "Installing Debian's chromium"
  mkdir -p var/log
  if ! install_chromium > var/log/apt-chromium.log 2>&1; then
    tail -n 20 var/log/apt-chromium.log >&2
    fail "cannot install Chromium; run 'apt-get install chromium' as root, then again" 3
  fi
}

install_chromium() {
  as_root apt-get update -qq || return
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core
}
