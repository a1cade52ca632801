#include "store/part.h"

#include "store/chain.h"

bool iq_part_is_tail(const struct iq_evidence_part *part)
{
	return part->ended && part->settled == part->offset && part->evidence.records > 0;
}

int iq_part_compare(const void *a, const void *b)
{
	const struct iq_evidence_part *x = a, *y = b;

	if (x->evidence.no != y->evidence.no)
		return x->evidence.no < y->evidence.no ? -1 : 1;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	/* One that settled nothing comes before the one that goes on there, however little that one holds. */
	if (x->settled != y->settled)
		return x->settled < y->settled ? -1 : 1;
	return (x->evidence.bytes > y->evidence.bytes) - (x->evidence.bytes < y->evidence.bytes);
}

/* What was unfinished is said again, with its marks; a head counts only until there is a whole MiB. */
static int join_marks(struct iq_buf *marks, const struct iq_evidence_part *part)
{
	size_t kept = (size_t)(part->offset / IQ_MARK_BYTES) * IQ_SHA256_SIZE;

	if (part->offset + part->evidence.bytes < IQ_MARK_BYTES)
		kept = 0;
	if (marks->len > kept)
		marks->len = kept;
	return iq_buf_append(marks, part->marks);
}

/* Bytes of `part` that `next` does not hold as well. */
static uint64_t own_bytes(const struct iq_evidence_part *part, const struct iq_evidence_part *next)
{
	return next->offset - part->offset < part->evidence.bytes ? next->offset - part->offset : part->evidence.bytes;
}

bool iq_parts_can_join(const struct iq_evidence_part *part, const struct iq_evidence_part *next)
{
	if (!part->evidence.redacted.data != !next->evidence.redacted.data)
		return false;
	return next->evidence.dropped == 0 || part->evidence.dropped >= own_bytes(part, next);
}

void iq_evidence_fold_facts(struct iq_evidence *whole, const struct iq_evidence *part)
{
	if (!whole->redacted.data)
		whole->redacted = part->redacted;
	if (whole->covers_from == IQ_TIME_NONE ||
	    (part->covers_from != IQ_TIME_NONE && part->covers_from < whole->covers_from))
		whole->covers_from = part->covers_from;
	if (part->covers_to > whole->covers_to)
		whole->covers_to = part->covers_to;
}

int iq_part_join(struct iq_evidence_part *whole, const struct iq_evidence_part *part, struct iq_buf *marks)
{
	const struct iq_evidence_part before = *whole;
	int rc = join_marks(marks, part);

	*whole = *part;
	whole->evidence.redacted = before.evidence.redacted;
	whole->evidence.covers_from = before.evidence.covers_from;
	whole->evidence.covers_to = before.evidence.covers_to;
	iq_evidence_fold_facts(&whole->evidence, &part->evidence);
	whole->evidence.path = before.evidence.path;
	whole->evidence.format = before.evidence.format;
	whole->offset = before.offset;
	whole->evidence.bytes = part->offset + part->evidence.bytes - before.offset;
	if (part->evidence.dropped > 0)
		whole->evidence.dropped += part->offset - before.offset;
	else if (before.evidence.dropped < own_bytes(&before, part))
		whole->evidence.dropped = before.evidence.dropped;
	else
		whole->evidence.dropped = own_bytes(&before, part);
	whole->evidence.records += before.evidence.records;
	whole->evidence.gaps += before.evidence.gaps;
	if (before.first_event)
		whole->first_event = before.first_event;
	whole->marks = iq_buf_view(marks);
	return rc;
}
