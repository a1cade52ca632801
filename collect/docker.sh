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

# Both streams in one file, as the Engine gives them.
logs() {
	if [ -n "${COLLECT_SINCE:-}" ]; then
		docker logs --timestamps --since "$COLLECT_SINCE" "$1" 2>&1
	else
		docker logs --timestamps "$1" 2>&1
	fi
}

if [ $# -gt 0 ]; then
	printf '%s\n' "$@"
else
	docker ps --all --format '{{.Names}}' </dev/null
fi >"$work/names"
while IFS= read -r name; do
	state=docker/inspect/$(plain "$name").json
	if keep "$state" docker inspect --type container "$name"; then
		keep "docker/logs/$(plain "$name").log" logs "$name"
	else
		rm -f "$root/$state"
	fi
done <"$work/names"
