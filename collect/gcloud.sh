# Google Cloud: log entries, oldest first, and versions.
#   ... | sh -s -- PROJECT...      else the project that is configured; COLLECT_SINCE=2h (default 1d) says how far back,
#   COLLECT_FILTER='resource.type="cloud_run_revision"' what, COLLECT_LIMIT (default 100000) how many at most.
what=gcloud
has gcloud || { echo "collect: there is no gcloud here" >&2; exit 4; }
: "${COLLECT_SINCE:=1d}"
limit=${COLLECT_LIMIT:-100000}

keep gcloud/version.json gcloud version --format=json

if [ $# -gt 0 ]; then
	printf '%s\n' "$@"
else
	gcloud config get-value project </dev/null 2>"$work/stderr"
fi >"$work/projects"
[ -s "$work/projects" ] || { echo "collect: no project is configured: name one" >&2; exit 2; }
while IFS= read -r project; do
	place=gcloud/$(plain "$project")
	keep "$place/logs.json" gcloud logging read "${COLLECT_FILTER:-}" --project "$project" --freshness "$COLLECT_SINCE" \
		--limit "$limit" --order asc --format json
	keep "$place/services.json" gcloud run services list --project "$project" --format json
	echo "limit $limit" >"$root/$place/limit.txt"
done <"$work/projects"
