# Sourced by the other scripts: makes sure that Debian's nginx is there (its program, not its service:
# a test runs one of its own before two gateways). Needs _venv.sh.

NGINX=/usr/sbin/nginx

require_nginx() {
  [ -x "$NGINX" ] && return
  command -v apt-get >/dev/null 2>&1 \
    || fail "a test needs $NGINX, and this is no Debian or Ubuntu to install it on" 3
  echo "Installing Debian's nginx (its service is not started)"
  mkdir -p var/log
  if ! install_without_service nginx > var/log/apt-nginx.log 2>&1; then
    tail -n 20 var/log/apt-nginx.log >&2
    fail "cannot install nginx; run 'apt-get install nginx' as root, then again" 3
  fi
}
