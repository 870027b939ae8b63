#!/bin/sh
# bubblewrap.sh: leave bubblewrap, the sandbox of the grading tests, on this machine if that can be done. Never fails: without it
# those tests are skipped, and say so.
command -v bwrap >/dev/null && exit 0
if [ "$(uname)" = Linux ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends bubblewrap; } >/dev/null 2>&1 && exit 0
fi
echo "No bubblewrap here (Debian, Ubuntu: apt install bubblewrap): the tests that need a sandbox will be skipped."
