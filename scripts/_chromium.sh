# Sourced by the other scripts: makes sure that Debian's Chromium is there, which the browser tests
# drive: its headless shell (no windows, two thirds of the processor time), or the whole browser where
# there is no such package. No tool downloads a browser of its own. Needs _venv.sh.

CHROMIUM_SHELL=/usr/bin/chromium-headless-shell
CHROMIUM_WHOLE=/usr/bin/chromium

require_chromium() {
  [ ! -x "$CHROMIUM_SHELL" ] || return 0
  if command -v apt-get >/dev/null 2>&1; then
    echo "Installing Debian's chromium-headless-shell"
    mkdir -p var/log
    install_chromium chromium-headless-shell > var/log/apt-chromium.log 2>&1 && return
    [ ! -x "$CHROMIUM_WHOLE" ] || return 0
    install_chromium chromium >> var/log/apt-chromium.log 2>&1 && return
    tail -n 20 var/log/apt-chromium.log >&2
    fail "cannot install Chromium; run 'apt-get install chromium-headless-shell' as root, then again" 3
  fi
  [ -x "$CHROMIUM_WHOLE" ] \
    || fail "the browser tests need $CHROMIUM_WHOLE, and this is no Debian or Ubuntu to install it on" 3
}

install_chromium() {
  as_root apt-get update -qq || return
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "$1" fonts-dejavu-core
}
