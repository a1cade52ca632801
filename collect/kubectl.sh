# Kubernetes: logs with times of every container, and of the run before where it was restarted; pods, events, nodes, versions.
#   ... | sh -s -- NAMESPACE...      only these; COLLECT_SINCE=2h takes logs from then on
what=kubectl
has kubectl || { echo "collect: there is no kubectl here" >&2; exit 4; }

keep kubernetes/version.json kubectl version -o json
keep kubernetes/nodes.json kubectl get nodes -o json

logs() {
	if [ -n "${COLLECT_SINCE:-}" ]; then
		kubectl logs --prefix --timestamps --since "$COLLECT_SINCE" "$@"
	else
		kubectl logs --prefix --timestamps "$@"
	fi
}

# `POD CONTAINER:RESTARTS...`, a line for each pod.
containers='{range .items[*]}{.metadata.name}{range .status.initContainerStatuses[*]}{" "}{.name}{":"}{.restartCount}{end}{range .status.containerStatuses[*]}{" "}{.name}{":"}{.restartCount}{end}{"\n"}{end}'

collect_pod() {
	pod=$1
	shift
	for container in "$@"; do
		name=${container%:*}
		place=kubernetes/$(plain "$namespace")/$(plain "$pod")_$(plain "$name")
		keep "$place.log" logs --namespace "$namespace" "$pod" --container "$name"
		[ "${container##*:}" = 0 ] || keep "$place.previous.log" logs --namespace "$namespace" "$pod" --container "$name" --previous
	done
}

if [ $# -gt 0 ]; then
	printf '%s\n' "$@"
else
	kubectl get namespaces -o jsonpath='{range .items[*]}{.metadata.name}{"\n"}{end}' </dev/null 2>"$work/stderr" ||
		{ echo "collect: $(head -n 1 "$work/stderr")" >&2; exit 4; }
fi >"$work/namespaces"
while IFS= read -r namespace; do
	keep "kubernetes/$(plain "$namespace")/pods-events.json" kubectl get pods,events --namespace "$namespace" -o json
	kubectl get pods --namespace "$namespace" -o jsonpath="$containers" </dev/null >"$work/pods" 2>>"$root/errors.txt"
	while IFS= read -r line; do
		set -f
		# shellcheck disable=SC2086 # names of pods and containers hold no white space; the line is divided at it
		[ -z "$line" ] || collect_pod $line
		set +f
	done <"$work/pods"
done <"$work/namespaces"
