/* Access logs of nginx and Apache, `common` and `combined` (Apache: mod_log_config), perhaps with more behind them and with the
 * virtual host in front:
 *	203.0.113.7 - alice [24/Nov/2026:03:27:59 +0000] "GET /chat HTTP/1.1" 101 0 "https://chat/" "Mozilla/5.0" */
#include "ingest/formats.h"
#include "ingest/line_parser.h"
#include "ingest/times.h"
#include "ingest/words.h"

struct request {
	struct iq_view host;
	struct iq_view client;
	struct iq_view user;
	struct iq_view line;
	struct iq_view status;
	struct iq_view bytes;
	struct iq_view referer;
	struct iq_view agent;
};

/* A text between quotes, in which both servers escape quotes. */
static bool take_quoted(struct iq_view *text, struct iq_view *ret_text)
{
	size_t len = 1;

	if (text->len < 2 || text->data[0] != '"')
		return false;
	while (len < text->len && text->data[len] != '"')
		len += text->data[len] == '\\' ? 2 : 1;
	if (len >= text->len)
		return false;
	*ret_text = iq_view_make(text->data + 1, len - 1);
	*text = iq_view_from(*text, len + 1);
	(void)iq_take(text, IQ_LIT(" "));
	return true;
}

/* The words before the time: [host] client ident user. */
static bool take_client(struct iq_view *text, struct request *request)
{
	struct iq_view words[4];
	size_t count = 0;

	while (text->len > 0 && text->data[0] != '[') {
		if (count == 4 || !iq_take_until(text, ' ', &words[count]))
			return false;
		count++;
	}
	if (count < 3)
		return false;
	request->host = count == 4 ? words[0] : IQ_VIEW_NULL;
	request->client = words[count - 3];
	request->user = words[count - 1];
	return true;
}

static const char *read_request(struct iq_view text, const struct iq_parser_options *options, struct request *request,
				int64_t *ret_ts)
{
	struct iq_time time;
	int64_t status;

	*request = (struct request){ .referer = IQ_VIEW_NULL };
	if (!take_client(&text, request) || !iq_take(&text, IQ_LIT("[")) || !iq_time_read(text, options, &time))
		return "no client and time: not an access log's line";
	text = iq_view_from(text, time.len);
	if (!iq_take(&text, IQ_LIT("] ")) || !take_quoted(&text, &request->line))
		return "no request: not an access log's line";
	if (!iq_take_word(&text, ' ', &request->status) || request->status.len != 3 ||
	    !iq_view_to_int64(request->status, &status))
		return "no status: not an access log's line";
	(void)iq_take_word(&text, ' ', &request->bytes);
	if (take_quoted(&text, &request->referer))
		(void)take_quoted(&text, &request->agent);
	*ret_ts = time.ns;
	return NULL;
}

/* `-` says that there is none. */
static void add_text(struct iq_buf *attrs, const char *name, struct iq_view text)
{
	if (text.len > 0 && !iq_view_eq(text, IQ_LIT("-")))
		iq_attrs_text(attrs, iq_view_cstr(name), text);
}

static void add_number(struct iq_buf *attrs, const char *name, struct iq_view text)
{
	int64_t number;

	if (iq_view_to_int64(text, &number) && number >= 0)
		iq_attrs_number(attrs, iq_view_cstr(name), (uint64_t)number);
}

static const char *parse(const struct iq_line_reading *reading, struct iq_record *record)
{
	struct request request;
	const char *why = read_request(reading->text, reading->options, &request, &record->event.ts);
	struct iq_view line, method = IQ_VIEW_NULL, url = IQ_VIEW_NULL;

	if (why)
		return why;
	line = request.line;
	if (iq_take_until(&line, ' ', &method))
		(void)iq_take_word(&line, ' ', &url);
	record->event.kind = IQ_KIND_HTTP_RESPONSE;
	record->event.severity = request.status.data[0] == '5' ? IQ_SEVERITY_ERROR : IQ_SEVERITY_INFO;
	record->event.body = reading->text;
	add_text(reading->attrs, "url", url);
	add_text(reading->attrs, "method", method);
	add_number(reading->attrs, "status", request.status);
	add_number(reading->attrs, "bytes", request.bytes);
	add_text(reading->attrs, "client", request.client);
	add_text(reading->attrs, "user", request.user);
	add_text(reading->attrs, "host", request.host);
	add_text(reading->attrs, "referer", request.referer);
	add_text(reading->attrs, "agent", request.agent);
	return NULL;
}

static const struct iq_line_rules rules = { .parse = parse };

static bool reads(struct iq_view text, bool cut)
{
	return iq_line_reads(&rules, text, cut);
}

static int probe(struct iq_view head)
{
	return iq_line_share(head, reads) * 92 / 100;
}

const struct iq_format iq_format_access = {
	.name = "access",
	.summary = "access logs of nginx and Apache (common, combined)",
	.probe = probe,
	IQ_LINE_PARSER(&rules),
};
