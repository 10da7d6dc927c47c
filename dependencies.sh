#!/usr/bin/env bash
# Makes sure that there are a C compiler, make, and the libraries that we use. Silent if there are; otherwise installs
# the missing ones with apt-get on Debian and Ubuntu (as root, or with sudo), and elsewhere names them.
set -euo pipefail

compiler=${CC:-cc}
missing=()

have_header() {
    printf '#include <%s>\n' "$1" | $compiler -DPCRE2_CODE_UNIT_WIDTH=8 -E - > /dev/null 2>&1
}

# need_header PACKAGE HEADER
need_header() {
    have_header "$2" || missing+=("$1")
}

command -v $compiler > /dev/null || missing+=(gcc)
command -v make > /dev/null || missing+=(make)
need_header libc6-dev stdio.h
need_header zlib1g-dev zlib.h
need_header libxxhash-dev xxhash.h
need_header libjansson-dev jansson.h
need_header libpcre2-dev pcre2.h
need_header libutf8proc-dev utf8proc.h
need_header libssl-dev openssl/evp.h
need_header libcmocka-dev cmocka.h

[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get > /dev/null; then
    echo "dependencies.sh: these Debian packages, or what your system calls them, are missing: ${missing[*]}" >&2
    exit 2
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo > /dev/null || {
        echo "dependencies.sh: run as root: apt-get install ${missing[*]}" >&2
        exit 2
    }
    as_root=(sudo)
fi
echo "Installing ${missing[*]}"
"${as_root[@]}" apt-get -qq update
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" > /dev/null
