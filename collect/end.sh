
{
	echo "collected $what"
	echo "began $began"
	echo "ended $(now)"
	echo "clock $(date -u +%s)"
	echo "zone $(date +%Z) $(date +%z)"
	echo "since ${COLLECT_SINCE:-the beginning}"
	echo "uname $(uname -a)"
	[ ! -r /proc/uptime ] || echo "uptime $(cut -d ' ' -f 1 /proc/uptime)"
	[ ! -r /proc/loadavg ] || echo "load $(cat /proc/loadavg)"
} >"$root/host.txt"

(cd "$root" && find . -type f | sort) | while IFS= read -r file; do
	printf '%s\t%s\t%s\n' "$(wc -c <"$root/$file" | tr -d ' ')" "$(hash_of "$root/$file")" "${file#./}"
done >"$work/manifest.tsv"
mv "$work/manifest.tsv" "$root/manifest.tsv"
[ ! -s "$root/errors.txt" ] || echo "collect: not everything could be had, see errors.txt in the tar: $(head -n 1 "$root/errors.txt")" >&2
tar -cf - -C "$work" collected
