# Sourced by the other scripts: makes sure that programs are there which the tests need beside Python, from
# Debian's packages. Their services are not started: tests run servers of their own. Needs _venv.sh.

# The headless shell draws no windows, in two thirds of the processor time.
CHROMIUM_SHELL=/usr/bin/chromium-headless-shell
CHROMIUM_WHOLE=/usr/bin/chromium

require_rabbitmq() {
  [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || provide "RabbitMQ 3.10 or newer" rabbitmq-server
}

require_proxies() {
  [ -x /usr/sbin/nginx ] || provide /usr/sbin/nginx nginx
  [ -x /usr/sbin/haproxy ] || provide /usr/sbin/haproxy haproxy
}

# For the tests of TLS, which the embedded Postgres was built without.
require_postgres() {
  compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || provide "Debian's Postgres" postgresql
}

# It parses and plays the alerts.
require_promtool() {
  command -v promtool >/dev/null 2>&1 || provide "promtool 2.42 or newer on PATH" prometheus
}

# It makes and compiles TypeScript types.
require_npm() {
  command -v npm >/dev/null 2>&1 || provide "Node.js 18 or newer with npm on PATH" nodejs npm
}

# No tool downloads a browser of its own.
require_chromium() {
  [ ! -x "$CHROMIUM_SHELL" ] || return 0
  if can_install && install_packages chromium-headless-shell fonts-dejavu-core; then return; fi
  [ -x "$CHROMIUM_WHOLE" ] || provide "Chromium" chromium fonts-dejavu-core
}

require_kubectl() {
  has_kustomize && return
  if can_install && { install_packages kubectl || install_packages kubernetes-client; }; then
    has_kustomize && return
  fi
  fail "needs kubectl 1.24 or newer on PATH, which this system's packages do not have" 3
}

# Kustomize 4 is the oldest that knows all that the manifests use; kubectl tells it from 1.24 on.
has_kustomize() {
  local major
  major=$(kubectl version --client -o json 2>/dev/null \
    | sed -n 's/.*"kustomizeVersion": "v\([0-9]*\)\..*/\1/p')
  [ "${major:-0}" -ge 4 ]
}

# Where one of these cannot be had (Debian 12's own kubectl is 1.20), the other suites still tell what they know.
ensure_kubectl() { (require_kubectl); }
ensure_promtool() { (require_promtool); }
ensure_npm() { (require_npm); }

# Usage: provide WHAT PACKAGE...; ends the script where the packages cannot be installed.
provide() {
  local what=$1
  shift
  can_install || fail "needs $what, and this is no Debian or Ubuntu to install it on" 3
  install_packages "$@" && return
  tail -n 20 "var/log/apt-$1.log" >&2
  fail "needs $what; run 'apt-get install $*' as root, then again" 3
}

can_install() { command -v apt-get >/dev/null 2>&1; }

install_packages() {
  echo "Installing Debian's $*"
  mkdir -p var/log
  install_without_service "$@" > "var/log/apt-$1.log" 2>&1
}

# The services of the packages start neither now nor with the machine: policy-rc.d says so to Debian. An existing one has its reasons and stays.
install_without_service() {
  local policy=/usr/sbin/policy-rc.d made='' status=0
  as_root apt-get update -qq || return
  if [ ! -e "$policy" ]; then
    as_root sh -c "printf '#!/bin/sh\nexit 101\n' > $policy && chmod 755 $policy" || return
    made=yes
  fi
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "$@" || status=$?
  [ -z "$made" ] || as_root rm -f "$policy"
  as_root systemctl disable "$1" || true  # without systemd there is nothing to disable
  return "$status"
}
