#include <stdlib.h>

#include "event/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

#define NAME(id, name) name,
static const char *const names[] = { "json", IQ_DIALECTS(NAME) };

struct frame {
	struct iq_view left; /* of its body */
	uint64_t offset;
	bool batch;
	struct iq_sha256 *digest;
};

static void digest_view(struct frame *frame, struct iq_view view)
{
	iq_sha256_update(frame->digest, &view.len, sizeof(view.len));
	if (view.len > 0)
		iq_sha256_update(frame->digest, view.data, view.len);
}

/* Between the messages of a batch, and around them. */
static bool is_punctuation(struct iq_view text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!memchr("[], \t\r\n", text.data[i], 7))
			return false;
	return true;
}

/* Bodies follow each other in the frame. */
static int take_event(void *context, const struct iq_event *event, struct iq_error *error)
{
	struct frame *frame = context;
	size_t before;

	(void)error;
	require(event->body.data >= frame->left.data);
	before = (size_t)(event->body.data - frame->left.data);
	require(before <= frame->left.len && event->body.len <= frame->left.len - before);
	require(before == 0 || (event->attrs.data && is_punctuation(iq_view_make(frame->left.data, before))));
	require(event->offset == frame->offset);
	frame->batch = event->attrs.data && iq_view_starts_with(event->attrs, IQ_LIT("{\"batch\":"));
	frame->left = iq_view_from(frame->left, before + event->body.len);
	digest_view(frame, event->type);
	digest_view(frame, event->key);
	return 0;
}

static void take_frame(struct iq_dialects *dialects, struct iq_view line, uint64_t offset, struct iq_sha256 *digest)
{
	struct frame frame = { .left = iq_view_from(line, 1), .offset = offset, .digest = digest };
	const struct iq_sink sink = { .event = take_event, .context = &frame };
	const bool opens = line.data[0] == 'o';
	struct iq_event event = IQ_EVENT_INIT;

	event.kind = opens ? IQ_KIND_WS_OPEN : line.data[0] == 'x' ? IQ_KIND_WS_CLOSE : IQ_KIND_WS_MESSAGE;
	event.direction = line.data[0] & 1 ? IQ_DIRECTION_CLIENT : IQ_DIRECTION_SERVER;
	event.session = line.data[0] & 2 ? IQ_LIT("a") : IQ_LIT("b");
	event.offset = offset;
	event.body = frame.left;
	event.body_is_binary = !iq_utf8_valid(event.body);
	event.attrs = opens ? frame.left : IQ_VIEW_NULL;
	require(iq_dialects_take(dialects, &event, &sink, NULL) == 0);
	require(frame.left.len == 0 || (frame.batch && is_punctuation(frame.left)));
	(void)iq_dialect_payload(line);
}

static void converse(const char *dialect, struct iq_view text, uint8_t ret_digest[IQ_SHA256_SIZE])
{
	struct iq_dialects *dialects = iq_dialects_new(dialect);
	struct iq_sha256 *digest = iq_sha256_new();
	uint64_t offset = 0;

	require(dialects && digest);
	while (text.len > 0) {
		const char *end = memchr(text.data, '\n', text.len);
		size_t len = end ? (size_t)(end - text.data) : text.len;

		if (len > 0)
			take_frame(dialects, iq_view_make(text.data, len), offset, digest);
		text = iq_view_from(text, len + 1);
		offset += len;
	}
	iq_sha256_digest(digest, ret_digest);
	iq_sha256_free(digest);
	iq_dialects_free(dialects);
}

/* A conversation, one frame a line, in each dialect and in whichever it seems to be; twice the same. The first byte of
 * a line says whose it is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct iq_view text = iq_view_make((const char *)data, size);
	uint8_t once[IQ_SHA256_SIZE], again[IQ_SHA256_SIZE];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		converse(names[i], text, once);
	converse(NULL, text, once);
	converse(NULL, text, again);
	require(memcmp(once, again, sizeof(once)) == 0);
	return 0;
}
