#include "query/feed.h"

#include <stdlib.h>

int iq_feed_type(struct iq_checker *checker, struct iq_view type, uint32_t *ret_number)
{
	int rc;

	*ret_number = IQ_SYMBOL_NONE;
	if (!type.data)
		return 0;
	rc = iq_map_intern(&checker->types, type, ret_number);
	return rc < 0 || IQ_ARRAY_GROW(checker->named, checker->named_capacity, (size_t)*ret_number + 1) < 0
		       ? iq_checker_nomem(checker)
		       : 0;
}

/* ---- Texts ---- */

static int load_text(struct iq_feed *feed, enum iq_column column, struct iq_view *ret_text, struct iq_buf *copy)
{
	bool is_binary;
	int rc = iq_block_text(feed->block, column, feed->row, ret_text, &is_binary, feed->checker->error);

	if (rc < 0)
		return rc;
	if (column == IQ_COLUMN_BODY)
		feed->event.body_is_binary = is_binary;
	/* The next text of the block may lie where this one does. */
	if (copy && ret_text->data) {
		iq_buf_clear(copy);
		if (iq_buf_append(copy, *ret_text) < 0)
			return iq_checker_nomem(feed->checker);
		*ret_text = iq_buf_view(copy);
	}
	return 0;
}

static int load(void *context, uint32_t columns)
{
	struct iq_feed *feed = context;
	struct iq_event *event = &feed->event;
	int rc = 0;

	if (columns & 1u << IQ_COLUMN_SESSION && event->session_no)
		event->session = iq_session_name(event->session_no, feed->session_name);
	if (columns & 1u << IQ_COLUMN_KEY)
		rc = load_text(feed, IQ_COLUMN_KEY, &event->key, &feed->texts[0]);
	if (rc == 0 && columns & 1u << IQ_COLUMN_ATTRS)
		rc = load_text(feed, IQ_COLUMN_ATTRS, &event->attrs, &feed->texts[1]);
	if (rc == 0 && columns & 1u << IQ_COLUMN_BODY)
		rc = load_text(feed, IQ_COLUMN_BODY, &event->body, NULL);
	return rc;
}

/* ---- Blocks and rows ---- */

int iq_feed_enter(struct iq_feed *feed, const struct iq_block *block)
{
	int rc = 0;

	feed->block = block;
	feed->serial = block->serial;
	if (IQ_ARRAY_GROW(feed->types, feed->type_capacity, block->type_count + 1) < 0)
		return iq_checker_nomem(feed->checker);
	for (size_t i = 0; i <= block->type_count && rc == 0; i++)
		rc = iq_feed_type(feed->checker, block->types[i], &feed->types[i]);
	return rc;
}

void iq_feed_fill(struct iq_feed *feed, uint32_t row, struct iq_seen *seen)
{
	const struct iq_block *block = feed->block;
	int64_t type = iq_feed_number(block, IQ_COLUMN_TYPE, row);
	struct iq_event *event = &feed->event;

	feed->row = row;
	event->id = iq_feed_id(block, row);
	event->ts = block->numbers[IQ_COLUMN_TS] ? block->numbers[IQ_COLUMN_TS][row] : IQ_TIME_NONE;
	event->session_no = (uint32_t)iq_feed_number(block, IQ_COLUMN_SESSION, row);
	event->kind = (enum iq_kind)iq_feed_number(block, IQ_COLUMN_KIND, row);
	event->direction = (enum iq_direction)iq_feed_number(block, IQ_COLUMN_DIRECTION, row);
	event->severity = (enum iq_severity)iq_feed_number(block, IQ_COLUMN_SEVERITY, row);
	event->evidence = (uint32_t)iq_feed_number(block, IQ_COLUMN_EVIDENCE, row);
	event->type = block->types[type];
	event->session = event->key = event->attrs = event->body = IQ_VIEW_NULL;
	seen->event = event;
	seen->source = (uint32_t)iq_feed_number(block, IQ_COLUMN_SOURCE, row);
	event->source = seen->source < feed->source_count ? feed->source_names[seen->source] : IQ_VIEW_NULL;
	seen->type = feed->types[type];
	seen->stream = iq_feed_stream(event->session_no, seen->source);
	seen->at = iq_checker_aligned(feed->checker, seen->source, event->ts);
	seen->load = load;
	seen->load_context = feed;
	seen->loaded =
		(IQ_LIGHT_COLUMNS | 1u << IQ_COLUMN_EVIDENCE | 1u << IQ_COLUMN_SEVERITY) & ~(1u << IQ_COLUMN_SESSION);
}

int iq_feed_init(struct iq_checker *checker, struct iq_feed *feed)
{
	size_t sources;
	const struct iq_source *source = iq_store_sources(checker->store, &sources);

	*feed = (struct iq_feed){ .checker = checker, .event = IQ_EVENT_INIT };
	feed->source_count = checker->horizon_count;
	feed->source_names = calloc(feed->source_count, sizeof(*feed->source_names));
	if (!feed->source_names)
		return iq_checker_nomem(checker);
	for (size_t i = 0; i < sources; i++)
		feed->source_names[source[i].no] = source[i].name;
	return 0;
}

void iq_feed_release(struct iq_feed *feed)
{
	free(feed->types);
	free(feed->source_names);
	iq_buf_release(&feed->texts[0]);
	iq_buf_release(&feed->texts[1]);
}
