#!/bin/sh
# venv.sh FOLDER [PYTHON]: leave a sound virtual environment in FOLDER, keeping the one there if it is sound.
# Called by the Makefile before it runs pip. FOLDER belongs to the Makefile: an unsound one is removed.
folder=$1
python=$2

fail() {
    echo "error: $1" >&2
    exit 1
}

unsound() { # prints why the environment must be made anew, or fails if it need not be
    [ -e "$folder" ] || { echo "none yet" && return; }
    "$folder/bin/python" -m pip --version >/dev/null 2>&1 || { echo "no working pip" && return; }
    # Scripts and the kernel hold absolute paths.
    [ ! -e "$folder/.where" ] || [ "$(cat "$folder/.where")" = "$PWD" ] || { echo "made for another folder" && return; }
    # pip writes INSTALLER last: a package without it was cut short, and pip would take it for installed.
    for package in "$folder"/lib/python*/site-packages/*.dist-info; do
        [ -e "$package/INSTALLER" ] || [ ! -e "$package" ] || { echo "half installed: ${package##*/}" && return; }
    done
    return 1
}

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

reason=$(unsound) || {
    echo "$PWD" >"$folder/.where"
    exit 0
}

if [ -n "$python" ]; then
    new_enough "$python" || fail "PYTHON=$python is not Python 3.11 or newer"
else
    for candidate in python3 python3.13 python3.12 python3.11 python3.14 python; do
        new_enough "$candidate" && python=$candidate && break
    done
    [ -n "$python" ] ||
        fail "no Python 3.11 or newer was found: install one, or name it: make lab PYTHON=/path/to/python3.12"
fi
"$python" -c 'import ensurepip, venv' >/dev/null 2>&1 ||
    fail "$python cannot make environments: install its venv module (Debian, Ubuntu: sudo apt install python3-venv)"

echo "Making $folder with $("$python" --version) ($reason)."
rm -rf "$folder" &&
    "$python" -m venv "$folder" &&
    echo "$PWD" >"$folder/.where" ||
    fail "could not make $folder: see the lines above"
