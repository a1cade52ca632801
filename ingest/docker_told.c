#include "ingest/docker_told.h"

#include <stdlib.h>

#include "base/hash.h"
#include "ingest/members.h"
#include "store/store.h"

/* Of the evidence that the store has. */
#define STORED UINT32_MAX

struct happening {
	int64_t ts;
	uint64_t text; /* hash */
	uint32_t next; /* in its chain, index + 1; 0: the last */
	uint32_t evidence;
	bool by_state;
	bool coarse;  /* the time is true to a second */
	bool matched; /* a state, whose event is known */
};

struct iq_docker_told {
	struct iq_map chains; /* of happenings of one container and type in one span of time: index + 1 of the newest */
	struct happening *happenings;
	size_t count;
	size_t capacity;
	struct iq_buf key;
	struct iq_buf body;
};

struct iq_docker_told *iq_docker_told_new(void)
{
	return calloc(1, sizeof(struct iq_docker_told));
}

void iq_docker_told_free(struct iq_docker_told *told)
{
	if (!told)
		return;
	iq_map_release(&told->chains);
	free(told->happenings);
	iq_buf_release(&told->key);
	iq_buf_release(&told->body);
	free(told);
}

/* ---- Chains ---- */

static int64_t span_of(int64_t ts)
{
	return ts / IQ_DOCKER_TELLS_LATE - (ts % IQ_DOCKER_TELLS_LATE < 0);
}

static struct iq_view chain_key(struct iq_docker_told *told, const struct iq_docker_action *action, int64_t span)
{
	iq_buf_clear(&told->key);
	(void)iq_buf_appendf(&told->key, "%lld ", (long long)span);
	(void)iq_buf_append(&told->key, iq_docker_short_id(action->of.id));
	(void)iq_buf_append_char(&told->key, ' ');
	(void)iq_buf_append(&told->key, action->action);
	return iq_buf_view(&told->key);
}

static uint32_t newest(struct iq_docker_told *told, const struct iq_docker_action *action, int64_t span)
{
	const uint64_t *found = iq_map_get(&told->chains, chain_key(told, action, span));
	return found ? (uint32_t)*found : 0;
}

/* Where no memory is left, it is not known again. */
static void add(struct iq_docker_told *told, const struct iq_docker_action *action, const struct happening *happening)
{
	const int64_t span = span_of(happening->ts);

	if (told->count == IQ_DOCKER_TOLD_MAX || IQ_ARRAY_GROW(told->happenings, told->capacity, told->count + 1) < 0)
		return;
	told->happenings[told->count] = *happening;
	told->happenings[told->count].next = newest(told, action, span);
	if (!told->key.failed && iq_map_set(&told->chains, iq_buf_view(&told->key), told->count + 1) == 0)
		told->count++;
}

/* ---- The same ---- */

static bool is_same(const struct happening *a, const struct happening *b)
{
	return a->ts == b->ts && a->by_state == b->by_state && a->text == b->text &&
	       (!b->coarse || a->evidence != b->evidence);
}

static int64_t second_of(int64_t ts)
{
	return (ts / IQ_NS_PER_S - (ts % IQ_NS_PER_S < 0)) * IQ_NS_PER_S;
}

/* Does the event tell what the state does? */
static bool is_event_of(const struct happening *event, const struct happening *state)
{
	const int64_t from = event->coarse ? second_of(state->ts) : state->ts;

	return !event->by_state && state->by_state && event->ts >= from && event->ts - from <= IQ_DOCKER_TELLS_LATE;
}

/* The states of which a container's events tell as well. */
static bool has_event(struct iq_view action)
{
	static const struct iq_view actions[] = { { "create", 6 }, { "start", 5 }, { "die", 3 } };

	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (iq_view_eq(action, actions[i]))
			return true;
	return false;
}

struct search {
	const struct happening *happening;
	bool same;		 /* it is known itself */
	struct happening *state; /* the earliest one that waits for it as its event */
	bool event;		 /* it is a state, whose event is known */
};

static void search_chain(struct iq_docker_told *told, uint32_t from, struct search *search)
{
	for (size_t steps = 0; from > 0 && steps < IQ_DOCKER_TOLD_CHAIN; steps++) {
		struct happening *known = &told->happenings[from - 1];

		search->same = search->same || is_same(known, search->happening);
		search->event = search->event || is_event_of(known, search->happening);
		if (!known->matched && is_event_of(search->happening, known) &&
		    (!search->state || known->ts < search->state->ts))
			search->state = known;
		from = known->next;
	}
}

static bool is_known(struct iq_docker_told *told, const struct iq_docker_action *action,
		     const struct happening *happening)
{
	const int64_t span = span_of(happening->ts);
	struct search search = { .happening = happening };

	search_chain(told, newest(told, action, span), &search);
	if (search.same)
		return true;
	if (!has_event(action->action))
		return false;
	/* Events come after the states that tell the same, by less than a span, or a second before. */
	search_chain(told, newest(told, action, span - 1), &search);
	search_chain(told, newest(told, action, span + 1), &search);
	if (search.state)
		search.state->matched = true;
	return search.state || search.event;
}

static bool take(struct iq_docker_told *told, const struct iq_docker_action *action, struct happening happening)
{
	if (action->of.id.len == 0 || happening.ts == IQ_TIME_NONE)
		return false;
	if (is_known(told, action, &happening))
		return true;
	add(told, action, &happening);
	return false;
}

/* Of a state none: one that is asked for again may know more of the same past. */
static uint64_t text_of(struct iq_docker_told *told, const struct iq_docker_action *action)
{
	struct iq_buf attrs = IQ_BUF_INIT;
	struct iq_event event;
	const bool read = !action->by_state && iq_docker_action_event(action, &told->body, &attrs, &event) == 0;
	const uint64_t hash = read ? iq_hash64(event.body) : 0;

	iq_buf_release(&attrs);
	return hash;
}

bool iq_docker_told_again(struct iq_docker_told *told, const struct iq_docker_action *action, uint32_t evidence)
{
	return take(told, action,
		    (struct happening){ .ts = action->ts,
					.text = text_of(told, action),
					.evidence = evidence,
					.by_state = action->by_state,
					.coarse = !action->by_state && action->ts % IQ_NS_PER_S == 0 });
}

/* ---- What the store tells ---- */

static void take_stored(struct iq_docker_told *told, const struct iq_event *event)
{
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_docker_action action = { .of.id = event->key, .action = event->type };
	const bool by_state = iq_view_eq(iq_text_at(event->attrs, "/from", &scratch), IQ_LIT("inspect"));

	(void)take(told, &action,
		   (struct happening){ .ts = event->ts,
				       .text = by_state ? 0 : iq_hash64(event->body),
				       .evidence = STORED,
				       .by_state = by_state,
				       .coarse = !by_state && event->ts % IQ_NS_PER_S == 0 });
	iq_buf_release(&scratch);
}

int iq_docker_told_recall(struct iq_docker_told *told, const char *path, struct iq_error *error)
{
	struct iq_filter filter = IQ_FILTER_INIT;
	struct iq_cursor *cursor = NULL;
	struct iq_store *store;
	struct iq_event event;
	int rc = iq_store_open(path, &store, error);

	if (rc < 0)
		return rc;
	filter.kinds = 1u << IQ_KIND_CONTAINER;
	filter.columns = 1u << IQ_COLUMN_TS | 1u << IQ_COLUMN_KIND | 1u << IQ_COLUMN_TYPE | 1u << IQ_COLUMN_KEY |
			 1u << IQ_COLUMN_BODY | 1u << IQ_COLUMN_ATTRS;
	rc = iq_cursor_open(store, &filter, &cursor, error);
	while (rc == 0 && (rc = iq_cursor_next(cursor, &event, error)) > 0) {
		take_stored(told, &event);
		rc = 0;
	}
	iq_cursor_close(cursor);
	iq_store_close(store);
	return rc;
}
