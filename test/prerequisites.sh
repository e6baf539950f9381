#!/bin/bash
# Makes sure that everything `make test` runs is there, and says nothing if it
# is. As root on Debian it installs what is missing; otherwise it prints what to
# install and fails. Then it brings the JavaScript dependencies up to date.
set -euo pipefail
cd "$(dirname "$0")/.."

# Each check adds to this list the Debian packages that would satisfy it.
missing=()

has() { command -v "$1" >/dev/null; }

# Debian keeps PostgreSQL's server programs outside PATH.
has_postgres() {
	local program version
	for program in /usr/lib/postgresql/*/bin/postgres "$(command -v postgres || true)"; do
		[ -x "$program" ] || continue
		version=$("$program" --version | sed -E 's/[^0-9]*([0-9]+).*/\1/')
		if [ "$version" -ge 15 ]; then return 0; fi
	done
	return 1
}

has_node() {
	has node && [ "$(node --print 'process.versions.node.split(".")[0]')" -ge 20 ]
}

check() {
	missing=()
	has redis-server || missing+=(redis-server)
	has redis-cli || missing+=(redis-tools)
	has_postgres || missing+=(postgresql)
	has chromium || missing+=(chromium)
	has_node || missing+=(nodejs)
	has npm || missing+=(npm)
	has curl || missing+=(curl)
	# The race detector needs a C compiler and the C library's headers.
	echo '#include <stdlib.h>' | gcc -E - >/dev/null 2>&1 || missing+=(gcc libc6-dev)
}

# Installing a server package on Debian also starts the server, which the tests
# have no use for: a policy that denies it stands in the way meanwhile.
install() {
	local policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 755 "$policy"
		trap "rm -f $policy" EXIT
	fi
	export DEBIAN_FRONTEND=noninteractive
	apt-get update --quiet --quiet
	apt-get install --quiet --quiet --yes --no-install-recommends "$@" >/dev/null
}

check
if [ ${#missing[@]} -gt 0 ]; then
	if [ "$(id -u)" = 0 ] && has apt-get; then
		echo "Installing: ${missing[*]}" >&2
		install "${missing[@]}"
		check
	fi
	if [ ${#missing[@]} -gt 0 ]; then
		echo "The tests need programs that are not installed (PostgreSQL 15 and Node.js 20 at least)." >&2
		echo "On Debian: apt-get install --no-install-recommends ${missing[*]}" >&2
		exit 1
	fi
fi

# npm writes the inner file last, so that it tells when an install was complete.
for lockfile in test/web/package-lock.json test/web/codegen/package-lock.json web/package-lock.json \
	web/client/package-lock.json examples/react-app/package-lock.json; do
	directory=$(dirname "$lockfile")
	if [ -e "$lockfile" ] && [ "$lockfile" -nt "$directory/node_modules/.package-lock.json" ]; then
		npm ci --prefix "$directory" --no-audit --no-fund --loglevel=error >/dev/null
	fi
done
