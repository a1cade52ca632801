#!/bin/sh
# Collects evidence, changes nothing: run it where the evidence is. It writes one tar to standard output:
#   inquest collect --print NAME | ssh HOST sh | inquest ingest -
# In the tar: what was asked for below, host.txt (the host's clock and the window of time), errors.txt (what could not be had), and
# manifest.tsv (size, SHA-256 and name of each file).
set -u
umask 077
LC_ALL=C
export LC_ALL
if [ -t 1 ]; then
	echo "collect: a tar would go to the terminal: redirect it, or pipe it into inquest ingest -" >&2
	exit 2
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/inquest-collect.XXXXXX") || exit 4
trap 'rm -rf "$work"' EXIT
trap 'exit 130' HUP INT TERM
root=$work/collected
mkdir "$root"

now() {
	date -u +%Y-%m-%dT%H:%M:%SZ
}

has() {
	command -v "$1" >/dev/null 2>&1
}

# keep FILE COMMAND...: its output becomes a file, what it complains of a line of errors.txt.
keep() {
	file=$root/$1
	shift
	mkdir -p "${file%/*}"
	"$@" >"$file" 2>"$work/stderr" </dev/null && return
	printf '%s\t%s\n' "$*" "$(tr '\n' ' ' <"$work/stderr")" >>"$root/errors.txt"
	[ -s "$file" ] || rm -f "$file"
	return 1
}

# A name as part of a path: nothing that leads out of it.
plain() {
	printf '%s' "$1" | tr -c 'A-Za-z0-9_.-' '_' | sed 's/^\.*$/_/'
}

hash_of() {
	if has sha256sum; then
		sha256sum <"$1" | cut -d ' ' -f 1
	elif has shasum; then
		shasum -a 256 <"$1" | cut -d ' ' -f 1
	else
		echo -
	fi
}

began=$(now)
