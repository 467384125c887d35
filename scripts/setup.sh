#!/usr/bin/env bash
# What `start` and `test` share: says what is missing on this machine, and installs it. Sourced, not run.

# install_missing COMMAND:PACKAGE … installs the Debian packages of the commands that are not there.
install_missing() {
    local pair missing=()
    for pair in "$@"; do
        command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
    done
    [ ${#missing[@]} -eq 0 ] || install_packages "${missing[@]}"
}

# install_packages PACKAGE … through apt-get, as root or by sudo.
install_packages() {
    local root=()
    [ "$(id -u)" -eq 0 ] || root=(sudo)
    if ! command -v apt-get >/dev/null || { [ ${#root[@]} -gt 0 ] && ! command -v sudo >/dev/null; }; then
        echo "error: this machine lacks: $*. Install them with your package manager, then run this again." >&2
        return 1
    fi
    echo "installing with apt-get: $*"
    "${root[@]}" apt-get update -qq </dev/null
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" </dev/null
}

# Rust is the one thing that is not installed for you.
need_cargo() {
    command -v cargo >/dev/null || {
        echo "error: no cargo. Install Rust 1.95 or newer (https://rustup.rs), then run this again." >&2
        return 1
    }
}
