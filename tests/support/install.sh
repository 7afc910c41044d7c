# To be sourced: install_missing PACKAGES... installs those of Debian's packages which are not
# installed yet, and is quiet when there are none. With Homebrew it installs what they are called
# there. With STRAIT_NO_INSTALL set it only says what is missing, and fails. It keeps to what the
# bash of macOS (3.2) knows.

# What the adapters of event loops and of serializers' libraries are tested against.
adapter_packages=(libasio-dev libboost-dev libglib2.0-dev libuv1-dev pkg-config libprotobuf-dev
  protobuf-compiler libflatbuffers-dev flatbuffers-compiler libcapnp-dev capnproto
  libmsgpack-cxx-dev libcereal-dev nlohmann-json3-dev libzmq3-dev)
# Homebrew has Qt as a whole alone, which takes long.
[[ $(uname) != Linux ]] || adapter_packages+=(libsystemd-dev qt6-base-dev)

install_missing() {
  if command -v dpkg-query >/dev/null; then
    install_missing_debian "$@"
  elif command -v brew >/dev/null; then
    install_missing_brew "$@"
  fi
}

# refused PACKAGES...: whether nothing may be installed.
refused() {
  [[ -n ${STRAIT_NO_INSTALL-} ]] || return 1
  echo "missing: $*" >&2
}

install_missing_debian() {
  local missing=() package as_root=() log
  for package in "$@"; do
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
      missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  ! refused "${missing[@]}" || return 1
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

install_missing_brew() {
  local missing=() package formula log
  for package in "$@"; do
    for formula in $(brew_formulas "$package"); do
      brew list --versions "$formula" >/dev/null 2>&1 || missing+=("$formula")
    done
  done
  ((${#missing[@]})) || return 0
  ! refused "${missing[@]}" || return 1
  echo "installing ${missing[*]}"
  log=$(mktemp)
  if ! brew install --quiet "${missing[@]}" </dev/null >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    echo "could not install ${missing[*]}" >&2
    return 1
  fi
  rm -f "$log"
}

# Homebrew's names for one of Debian's packages; none for what Xcode's tools bring, and for what only
# tests of Linux need.
brew_formulas() {
  case $1 in
    cmake | catch2) echo "$1" ;;
    ninja-build) echo ninja ;;
    libfmt-dev) echo fmt ;;
    libcli11-dev) echo cli11 ;;
    pkg-config) echo pkgconf ;;
    libboost-dev) echo boost ;;
    libzmq3-dev) echo zeromq ;;
    libnng-dev) echo nng ;;
    libasio-dev) echo asio ;;
    libglib2.0-dev) echo glib ;;
    libuv1-dev) echo libuv ;;
    libprotobuf-dev) echo protobuf ;;
    libflatbuffers-dev) echo flatbuffers ;;
    libcapnp-dev) echo capnp ;;
    libmsgpack-cxx-dev) echo msgpack-cxx ;;
    libcereal-dev) echo cereal ;;
    nlohmann-json3-dev) echo nlohmann-json ;;
    gnuplot-nox) echo gnuplot ;;
  esac
}
