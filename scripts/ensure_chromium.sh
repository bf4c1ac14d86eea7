#!/usr/bin/env bash
# Makes sure that the browser tests find a Chromium: the machine's own, else the package manager's when run by
# root, else Playwright's own. A second call does nothing. Usage: ensure_chromium.sh PYTHON
set -euo pipefail
python=$1

for name in chromium chromium-browser google-chrome; do
	if command -v "$name" >/dev/null; then exit 0; fi
done

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	echo 'Installing Chromium with apt-get'
	export DEBIAN_FRONTEND=noninteractive
	if apt-get -qq update && apt-get -qq install --yes --no-install-recommends chromium >/dev/null; then exit 0; fi
	echo 'apt-get has no Chromium to give, trying Playwright' >&2
fi

# Playwright keeps its Chromium, so that a second call returns at once.
"$python" -m playwright install chromium
