/* CRI container logs, as containerd, CRI-O and Podman's k8s-file write them (Kubernetes: pkg/kubelet/kuberuntime/logs):
 *	2026-11-23T03:07:12.418000000+01:00 stdout F the text
 * The first tag is P for a part and F for the rest of a line; what may follow it behind colons says nothing yet. Parts have
 * times of their own, the line has that of the first. */
#include "ingest/formats.h"
#include "ingest/line_parser.h"
#include "ingest/words.h"

static const char *parse(const struct iq_line_reading *reading, struct iq_record *record)
{
	struct iq_view text = reading->text, time, tags, tag;
	bool is_stdout;

	if (!iq_take_until(&text, ' ', &time) || !iq_time_parse(time, &record->event.ts))
		return "no time: not a CRI record";
	is_stdout = iq_view_starts_with(text, IQ_LIT("stdout "));
	if (!iq_take_until(&text, ' ', &record->stream) ||
	    (!is_stdout && !iq_view_eq(record->stream, IQ_LIT("stderr"))))
		return "neither stdout nor stderr: not a CRI record";
	if (!iq_take_word(&text, ' ', &tags) || !iq_take_word(&tags, ':', &tag))
		return "no tag: not a CRI record";
	record->unfinished = iq_view_eq(tag, IQ_LIT("P"));
	if (!record->unfinished && !iq_view_eq(tag, IQ_LIT("F")))
		return "a tag that is neither P nor F";
	record->event.body = text.len > 0 ? text : IQ_LIT("");
	iq_attrs_literal(reading->attrs, is_stdout ? IQ_LIT("\"stream\":\"stdout\"") : IQ_LIT("\"stream\":\"stderr\""));
	return NULL;
}

static const struct iq_line_rules rules = { .parse = parse, .joining = IQ_JOIN_TRACES };

static int score_line(struct iq_view text, bool cut)
{
	return iq_line_reads(&rules, text, cut) ? 96 : 0;
}

static int probe(struct iq_view head)
{
	return iq_line_probe(head, score_line);
}

const struct iq_format iq_format_cri = {
	.name = "cri",
	.summary = "Kubernetes container logs (containerd, CRI-O, Podman k8s-file)",
	.probe = probe,
	IQ_LINE_PARSER(&rules),
};
