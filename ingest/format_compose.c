/* What `docker compose logs` and `docker compose up` print (compose: cmd/formatter/logs.go):
 *	backend-1  | the text
 * The name is padded to the longest at that time, so that its width changes; it may be coloured. With -t the Engine's time comes
 * before the text. Lines without a name are Compose's own. */
#include "ingest/engine_times.h"
#include "ingest/formats.h"
#include "ingest/line_parser.h"
#include "ingest/texts.h"
#include "ingest/words.h"

#define EXITED IQ_LIT(" exited with code ")

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
	       c == '.';
}

static bool take_name(struct iq_view *text, struct iq_view *ret_name)
{
	size_t len = 0, bar;

	while (len < text->len && is_name_char(text->data[len]))
		len++;
	for (bar = len; bar < text->len && text->data[bar] == ' ';)
		bar++;
	if (len == 0 || bar == len || bar >= text->len || text->data[bar] != '|' ||
	    (bar + 1 < text->len && text->data[bar + 1] != ' '))
		return false;
	*ret_name = iq_view_make(text->data, len);
	*text = iq_view_from(*text, bar + 2);
	return true;
}

/* `backend-1 exited with code 137` */
static bool read_exit(struct iq_view text, struct iq_view *ret_name, int64_t *ret_code)
{
	size_t at = iq_view_find(text, EXITED);

	if (at == SIZE_MAX || at == 0)
		return false;
	*ret_name = iq_view_make(text.data, at);
	return iq_view_to_int64(iq_view_trim(iq_view_from(text, at + EXITED.len)), ret_code);
}

static void set_exit(const struct iq_line_reading *reading, struct iq_record *record, struct iq_view name, int64_t code)
{
	record->event.kind = IQ_KIND_CONTAINER;
	record->event.type = IQ_LIT("die");
	record->event.source = name;
	record->event.severity = code != 0 ? IQ_SEVERITY_ERROR : IQ_SEVERITY_INFO;
	if (code >= 0)
		iq_attrs_number(reading->attrs, IQ_LIT("exit_code"), (uint64_t)code);
}

static const char *parse(const struct iq_line_reading *reading, struct iq_record *record)
{
	struct iq_view text = iq_text_plain(reading->text, reading->scratch), name;
	int64_t code;

	if (take_name(&text, &name)) {
		record->event.source = record->stream = name;
		text = iq_take_times(text, reading, record);
	} else if (read_exit(text, &name, &code)) {
		set_exit(reading, record, name, code);
	}
	record->event.body = text.len > 0 ? text : IQ_LIT("");
	return NULL;
}

static const struct iq_line_rules rules = {
	.parse = parse, .joining = IQ_JOIN_TRACES, .keeps_indent = true, .any_source = true
};

static bool has_name(struct iq_view text, bool cut)
{
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_view plain = iq_text_plain(text, &scratch), name;
	const bool has = take_name(&plain, &name);

	(void)cut;
	iq_buf_release(&scratch);
	return has;
}

static int probe(struct iq_view head)
{
	return iq_line_share(head, has_name) * 90 / 100;
}

const struct iq_format iq_format_compose = {
	.name = "compose",
	.summary = "what docker compose logs and up print, with -t or without",
	.probe = probe,
	IQ_LINE_PARSER(&rules),
};
