# Docker: logs with times, states, events as far back as the Engine remembers, versions.
#   ... | ssh HOST sh -s -- CONTAINER...      only these; COLLECT_SINCE=2h takes logs and events from then on
what=docker
has docker || { echo "collect: there is no docker here" >&2; exit 4; }
docker version </dev/null >/dev/null 2>"$work/stderr" || { echo "collect: $(head -n 1 "$work/stderr")" >&2; exit 4; }

keep docker/version.json docker version --format '{{json .}}'
keep docker/info.json docker info --format '{{json .}}'
keep docker/ps.ndjson docker ps --all --no-trunc --format '{{json .}}'
keep docker/images.ndjson docker image ls --no-trunc --format '{{json .}}'
# The Engine remembers 256 events.
keep docker/events.ndjson docker events --since "${COLLECT_SINCE:-1}" --until "$(($(date +%s) + 1))" --format '{{json .}}'

# Each stream to a file of its own: in one, what the Engine cut a long line of one stream into would have lines of the other in between.
logs() {
	stderr=${file%/*}/stderr.log
	docker logs --timestamps ${COLLECT_SINCE:+--since "$COLLECT_SINCE"} "$1" 2>"$stderr" && return
	tail -n 1 "$stderr" >&2
	[ "$(wc -l <"$stderr")" -gt 1 ] || rm -f "$stderr"
	return 1
}

if [ $# -gt 0 ]; then
	printf '%s\n' "$@"
else
	docker ps --all --format '{{.Names}}' </dev/null
fi >"$work/names"
while IFS= read -r name; do
	state=docker/inspect/$(plain "$name").json
	if keep "$state" docker inspect --type container "$name"; then
		keep "docker/logs/$(plain "$name")/stdout.log" logs "$name"
	else
		rm -f "$root/$state"
	fi
done <"$work/names"
