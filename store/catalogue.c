#include "store/catalogue.h"

#include <stdlib.h>

#include "store/part.h"

void iq_catalogue_clear(struct iq_catalogue *catalogue)
{
	for (size_t i = 0; i < catalogue->count; i++)
		iq_buf_release(&catalogue->streams[i].marks);
	catalogue->count = 0;
	iq_map_clear(&catalogue->heads);
	iq_map_clear(&catalogue->numbers);
}

void iq_catalogue_release(struct iq_catalogue *catalogue)
{
	iq_catalogue_clear(catalogue);
	iq_map_release(&catalogue->heads);
	iq_map_release(&catalogue->numbers);
	iq_map_release(&catalogue->names);
	free(catalogue->streams);
}

/* Puts a stream in front of those with the same first mark. */
static int index_head(struct iq_catalogue *catalogue, struct iq_known_stream *stream, uint32_t index)
{
	struct iq_view head = iq_view_make(stream->marks.data, IQ_SHA256_SIZE);
	uint64_t *first;

	/* Of a stream whose beginning is not in the store there is nothing to know it by. */
	if (stream->marks.len < IQ_SHA256_SIZE || stream->whole.offset > 0)
		return 0;
	first = iq_map_get(&catalogue->heads, head);
	stream->next = first ? (uint32_t)*first + 1 : 0;
	return iq_map_set(&catalogue->heads, head, index);
}

static int add_stream(struct iq_catalogue *catalogue, const struct iq_evidence_part *part, struct iq_view number)
{
	uint32_t index = (uint32_t)catalogue->count, format, redacted = 0;
	struct iq_known_stream *stream;

	if (IQ_ARRAY_GROW(catalogue->streams, catalogue->capacity, catalogue->count + 1) < 0 ||
	    iq_map_intern(&catalogue->names, part->evidence.format, &format) < 0 ||
	    (part->evidence.redacted.data && iq_map_intern(&catalogue->names, part->evidence.redacted, &redacted) < 0))
		return IQ_ERR_NOMEM;
	stream = &catalogue->streams[index];
	*stream = (struct iq_known_stream){ .whole = *part, .marks = IQ_BUF_INIT };
	stream->whole.evidence.path = IQ_VIEW_NULL;
	stream->whole.evidence.format = catalogue->names.entries[format].key;
	if (part->evidence.redacted.data)
		stream->whole.evidence.redacted = catalogue->names.entries[redacted].key;
	catalogue->count++;
	if (iq_buf_append(&stream->marks, part->marks) < 0 || index_head(catalogue, stream, index) < 0)
		return IQ_ERR_NOMEM;
	return iq_map_set(&catalogue->numbers, number, index);
}

const uint8_t *iq_catalogue_mark(const struct iq_known_stream *stream, uint64_t bytes)
{
	size_t index = (size_t)(bytes / IQ_MARK_BYTES) - 1;

	if (stream->whole.evidence.bytes < bytes || stream->marks.len / IQ_SHA256_SIZE <= index)
		return NULL;
	return (const uint8_t *)stream->marks.data + index * IQ_SHA256_SIZE;
}

const uint64_t *iq_catalogue_index(const struct iq_catalogue *catalogue, uint32_t evidence)
{
	return iq_map_get(&catalogue->numbers, iq_view_make((const char *)&evidence, sizeof(evidence)));
}

static int note_tail(struct iq_catalogue *catalogue, struct iq_known_stream *stream,
		     const struct iq_evidence_part *body, struct iq_view file)
{
	uint32_t name;

	if (iq_map_intern(&catalogue->names, file, &name) < 0)
		return IQ_ERR_NOMEM;
	stream->body = *body;
	stream->tail = catalogue->names.entries[name].key.data;
	return 0;
}

/* What a stream is of which only the tail is there. */
static struct iq_evidence_part no_body(const struct iq_evidence_part *tail)
{
	return (struct iq_evidence_part){ .evidence.no = tail->evidence.no,
					  .evidence.format = tail->evidence.format,
					  .evidence.redacted = tail->evidence.redacted,
					  .evidence.covers_from = tail->evidence.covers_from,
					  .evidence.covers_to = tail->evidence.covers_to,
					  .restart = tail->restart,
					  .last_ts = IQ_TIME_NONE };
}

int iq_catalogue_add(struct iq_catalogue *catalogue, const struct iq_evidence_part *part, struct iq_view file,
		     bool committed)
{
	struct iq_view number = iq_view_make((const char *)&part->evidence.no, sizeof(part->evidence.no));
	uint64_t *index = iq_map_get(&catalogue->numbers, number);
	struct iq_known_stream *stream = index ? &catalogue->streams[*index] : NULL;
	struct iq_evidence_part body = stream ? stream->whole : (struct iq_evidence_part){ 0 };
	int rc = stream ? iq_part_join(&stream->whole, part, &stream->marks) : add_stream(catalogue, part, number);

	if (rc < 0)
		return rc;
	if (!stream) {
		stream = &catalogue->streams[catalogue->count - 1];
		body = no_body(&stream->whole);
	}
	stream->committed = committed;
	return iq_part_is_tail(part) ? note_tail(catalogue, stream, &body, file) : 0;
}

void iq_catalogue_drop_tail(struct iq_catalogue *catalogue, uint32_t evidence)
{
	const uint64_t *index = iq_catalogue_index(catalogue, evidence);
	struct iq_known_stream *stream = index ? &catalogue->streams[*index] : NULL;

	if (!stream || !stream->tail)
		return;
	stream->whole = stream->body;
	stream->tail = NULL;
}

void iq_catalogue_commit(struct iq_catalogue *catalogue)
{
	for (size_t i = 0; i < catalogue->count; i++)
		catalogue->streams[i].committed = true;
}
