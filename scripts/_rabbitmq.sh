# Sourced by the other scripts: makes sure that the RabbitMQ package is there (its programs, not its
# service: tests and benchmarks run nodes of their own). Needs _venv.sh.

require_rabbitmq() {
  [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] && return
  command -v apt-get >/dev/null 2>&1 \
    || fail "these tests need RabbitMQ 3.10 or newer, and this is no Debian or Ubuntu to install it on" 3
  echo "Installing Debian's rabbitmq-server (its service is not started)"
  mkdir -p var/log
  if ! install_without_service rabbitmq-server > var/log/apt.log 2>&1; then
    tail -n 20 var/log/apt.log >&2
    fail "cannot install RabbitMQ; run 'apt-get install rabbitmq-server' as root, then again" 3
  fi
}
