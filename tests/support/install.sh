# To be sourced: install_missing PACKAGES... installs those of Debian's packages which are not
# installed yet, and is quiet when there are none.
install_missing() {
  command -v dpkg-query >/dev/null || return 0
  local missing=() package as_root=() log
  for package in "$@"; do
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
      missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  ((EUID == 0)) || as_root=(sudo)
  echo "installing ${missing[*]}"
  log=$(mktemp)
  if ! "${as_root[@]}" apt-get update -qq </dev/null >"$log" 2>&1 ||
    ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
      --no-install-recommends "${missing[@]}" </dev/null >>"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    echo "could not install ${missing[*]}" >&2
    return 1
  fi
  rm -f "$log"
}
