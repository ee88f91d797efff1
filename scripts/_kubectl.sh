# Sourced by the other scripts: makes sure that kubectl is there, for its kustomize. Needs _venv.sh.

# Kustomize 4 is the oldest that knows all that the manifests use; kubectl tells it from 1.24 on.
has_kustomize() {
  local major
  major=$(kubectl version --client -o json 2>/dev/null \
    | sed -n 's/.*"kustomizeVersion": "v\([0-9]*\)\..*/\1/p')
  [ "${major:-0}" -ge 4 ]
}

require_kubectl() {
  command -v kubectl >/dev/null 2>&1 && has_kustomize && return
  command -v apt-get >/dev/null 2>&1 \
    || fail "these tests need kubectl 1.24 or newer on PATH, and this is no Debian or Ubuntu to install it on" 3
  echo "Installing kubectl"
  mkdir -p var/log
  local package
  for package in kubectl kubernetes-client; do
    if { as_root apt-get update -qq \
      && as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$package"; } >> var/log/apt.log 2>&1 \
      && has_kustomize; then
      return
    fi
  done
  fail "no kubectl 1.24 or newer can be installed from this system's packages; put one on PATH, then again" 3
}

# Where it cannot be had (Debian 12's own is 1.20), the other suites still tell what they know.
ensure_kubectl() { (require_kubectl); }
