# Sourced by the other scripts: makes sure that the RabbitMQ package is there (its programs, not its
# service: tests and benchmarks run nodes of their own). Needs _venv.sh.

require_rabbitmq() {
  [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] && return
  command -v apt-get >/dev/null 2>&1 \
    || fail "these tests need RabbitMQ 3.10 or newer, and this is no Debian or Ubuntu to install it on" 3
  echo "Installing Debian's rabbitmq-server (its service is not started)"
  mkdir -p var/log
  if ! install_quietly rabbitmq-server > var/log/apt.log 2>&1; then
    tail -n 20 var/log/apt.log >&2
    fail "cannot install RabbitMQ; run 'apt-get install rabbitmq-server' as root, then again" 3
  fi
}

# policy-rc.d is how Debian is told not to start the services that it installs. An existing one has
# its reasons and stays.
install_quietly() {  # install_quietly PACKAGE_AND_SERVICE
  local policy=/usr/sbin/policy-rc.d ours='' status=0
  as_root apt-get update -qq || return
  if [ ! -e "$policy" ]; then
    as_root sh -c "printf '#!/bin/sh\nexit 101\n' > $policy && chmod 755 $policy" || return
    ours=yes
  fi
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "$1" || status=$?
  [ -z "$ours" ] || as_root rm -f "$policy"
  # Nor is it to start with the machine. Without systemd there is nothing to disable.
  as_root systemctl disable "$1" || true
  return "$status"
}
