#include "replay/judge.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void iq_text_copy_safe(char *out, size_t size, const char *text)
{
	struct iq_buf safe = IQ_BUF_INIT;

	(void)iq_utf8_append_safe(&safe, iq_view_cstr(text));
	(void)snprintf(out, size, "%s", safe.data ? safe.data : "");
	iq_buf_release(&safe);
}

int iq_judge_init(struct iq_judge *judge, const struct iq_plan *plan, const struct iq_shape *shape,
		  const struct iq_replay_options *options, struct iq_values *values, struct iq_lived *lived)
{
	*judge = (struct iq_judge){ .plan = plan,
				    .shape = shape,
				    .options = options,
				    .values = values,
				    .lived = lived,
				    .answered = IQ_MAP_INIT,
				    .keys = IQ_MAP_INIT,
				    .taken = IQ_MAP_INIT,
				    .unknown = IQ_MAP_INIT,
				    .sent_turn = IQ_NO_TURN,
				    .memory = IQ_ARENA_INIT };
	judge->matched = calloc((size_t)plan->count + 1, sizeof(*judge->matched));
	judge->first_open = calloc(plan->types.count + 1, sizeof(*judge->first_open));
	judge->seen = calloc(shape->types.count + 1, sizeof(*judge->seen));
	judge->in_answer = calloc(shape->types.count + 1, sizeof(*judge->in_answer));
	if (!judge->matched || !judge->first_open || !judge->seen || !judge->in_answer)
		return IQ_ERR_NOMEM;
	memcpy(judge->first_open, plan->first_of_type, plan->types.count * sizeof(*judge->first_open));
	return 0;
}

void iq_judge_release(struct iq_judge *judge)
{
	free(judge->matched);
	free(judge->first_open);
	free(judge->seen);
	free(judge->in_answer);
	free(judge->now);
	iq_map_release(&judge->answered);
	iq_map_release(&judge->keys);
	iq_map_release(&judge->taken);
	iq_map_release(&judge->unknown);
	iq_arena_release(&judge->memory);
}

/* ---- Differences ---- */

/* What is being compared. */
struct pair {
	struct iq_judge *judge;
	uint32_t turn; /* IQ_NO_TURN: none */
	uint64_t got;
	struct iq_view got_text;
	struct iq_view type;
};

static struct iq_view keep_side(struct iq_lived *lived, struct iq_view text)
{
	const struct iq_view kept = iq_utf8_cut(text, IQ_REPLAY_SIDE_BYTES);

	return text.data ? iq_arena_copy(&lived->memory, kept) : IQ_VIEW_NULL;
}

static void note(const struct pair *pair, enum iq_difference_kind kind, bool is_judged, const char *format, ...)
	IQ_PRINTF(4, 5);

static void note(const struct pair *pair, enum iq_difference_kind kind, bool is_judged, const char *format, ...)
{
	struct iq_lived *lived = pair->judge->lived;
	const struct iq_turn *turn = pair->turn == IQ_NO_TURN ? NULL : &pair->judge->plan->turns[pair->turn];
	struct iq_difference *difference;
	const bool first = is_judged && lived->judged == 0;
	char text[sizeof(difference->text)];
	va_list args;

	lived->judged += is_judged;
	lived->reported += !is_judged;
	if (lived->difference_count == IQ_REPLAY_MAX_DIFFERENCES ||
	    IQ_ARRAY_GROW(lived->differences, lived->difference_capacity, lived->difference_count + 1) < 0)
		return;
	difference = &lived->differences[lived->difference_count++];
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	*difference = (struct iq_difference){ .kind = iq_difference_name(kind),
					      .is_judged = is_judged,
					      .expected = turn ? turn->id : 0,
					      .got = pair->got };
	iq_text_copy_safe(difference->text, sizeof(difference->text), text);
	if (first) {
		difference->expected_side = turn ? keep_side(lived, turn->texts[IQ_SLOT_BODY]) : IQ_VIEW_NULL;
		difference->got_side = keep_side(lived, pair->got_text);
	}
}

static struct iq_view shown(struct iq_view type)
{
	return type.len ? iq_utf8_cut(type, 60) : IQ_LIT("a message without a type");
}

/* ---- Matching ---- */

/* What a recorded key is now; the NULL view while nobody knows. */
static struct iq_view key_now(const struct iq_judge *judge, struct iq_view recorded)
{
	const uint64_t *index = iq_map_get(&judge->keys, recorded);

	return index ? judge->now[*index] : IQ_VIEW_NULL;
}

static bool key_agrees(const struct iq_judge *judge, struct iq_view recorded, struct iq_view got)
{
	struct iq_view now;

	if (recorded.len == 0 || got.len == 0)
		return recorded.len == got.len;
	now = key_now(judge, recorded);
	if (now.data)
		return iq_view_eq(now, got);
	/* A key that stands for another one already is not this one's. */
	return iq_view_eq(recorded, got) || !iq_map_get(&judge->taken, got);
}

static int learn_key(struct iq_judge *judge, struct iq_view recorded, struct iq_view got)
{
	uint32_t index;
	int rc;

	if (recorded.len == 0 || got.len == 0)
		return 0;
	rc = iq_map_intern(&judge->keys, recorded, &index);
	if (rc <= 0)
		return rc;
	if (IQ_ARRAY_GROW(judge->now, judge->now_capacity, (size_t)index + 1) < 0)
		return IQ_ERR_NOMEM;
	judge->now[index] = iq_arena_copy(&judge->memory, got);
	return judge->now[index].data ? iq_map_set(&judge->taken, got, 1) : IQ_ERR_NOMEM;
}

/* The first open turn of the type whose key agrees, before the horizon. Beyond it only where the type has no turn before it. */
static uint32_t find_turn(struct iq_judge *judge, uint32_t type, struct iq_view key, uint32_t horizon)
{
	const struct iq_plan *plan = judge->plan;
	const uint32_t first = type == UINT32_MAX ? IQ_NO_TURN : plan->first_of_type[type];

	if (first == IQ_NO_TURN)
		return IQ_NO_TURN;
	while (judge->first_open[type] != IQ_NO_TURN && judge->matched[judge->first_open[type]])
		judge->first_open[type] = plan->turns[judge->first_open[type]].next_same;
	for (uint32_t turn = judge->first_open[type]; turn != IQ_NO_TURN; turn = plan->turns[turn].next_same) {
		if (turn >= horizon && first < horizon)
			return IQ_NO_TURN;
		if (!judge->matched[turn] && key_agrees(judge, plan->turns[turn].key, key))
			return turn;
	}
	return IQ_NO_TURN;
}

/* ---- Comparing ---- */

static bool is_ignored(const struct iq_judge *judge, struct iq_view path)
{
	for (size_t i = 0; i < judge->options->ignored_count; i++) {
		const struct iq_view ignored = iq_view_cstr(judge->options->ignored[i]);

		if (iq_view_starts_with(path, ignored) && (path.len == ignored.len || path.data[ignored.len] == '/'))
			return true;
	}
	return false;
}

static int tell_unlike(void *context, const struct iq_unlike *unlike)
{
	const struct pair *pair = context;

	if (is_ignored(pair->judge, unlike->path))
		return 0;
	if (unlike->kind == IQ_DIFFERENCE_FIELD)
		note(pair, unlike->kind, true, "%.*s has no %.*s", IQ_VIEW_ARG(shown(pair->type)),
		     IQ_VIEW_ARG(iq_utf8_cut(unlike->path, 100)));
	else if (unlike->path.len == 0)
		note(pair, unlike->kind, true, "%.*s is %s, not %s", IQ_VIEW_ARG(shown(pair->type)), unlike->got,
		     unlike->expected);
	else
		note(pair, unlike->kind, true, "%.*s: %.*s is %s, not %s", IQ_VIEW_ARG(shown(pair->type)),
		     IQ_VIEW_ARG(iq_utf8_cut(unlike->path, 100)), unlike->got, unlike->expected);
	return 0;
}

static bool close_enough(struct iq_view expected, struct iq_view got, double tolerance)
{
	double x, y, difference, scale;

	if (!iq_view_to_double(expected, &x) || !iq_view_to_double(got, &y))
		return false;
	difference = x > y ? x - y : y - x;
	scale = x < 0 ? -x : x;
	return difference <= scale * tolerance;
}

static bool same_value(const struct iq_judge *judge, const struct iq_place *place, const struct iq_json_value *got)
{
	const struct iq_view now = iq_values_now(judge->values, place->value), key = key_now(judge, place->value);

	if (iq_view_eq(got->text, place->value) || iq_view_eq(got->text, now) ||
	    (key.data && iq_view_eq(got->text, key)))
		return true;
	if (place->is_number && got->type == IQ_JSON_NUMBER)
		return close_enough(place->value, got->text, judge->options->tolerance);
	/* Both are ids or the like, which are made anew each time. */
	return iq_flow_is_made(place) && iq_flow_is_made(&(struct iq_place){ .value = got->text, .name = place->name });
}

static int compare_value(void *context, const struct iq_place *place, struct iq_buf *out)
{
	const struct pair *pair = context;
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_json_value got;

	(void)out;
	/* Only what the message itself says, not what is packed in it. */
	if (place->is_word || iq_view_find(place->path, IQ_LIT(">")) != SIZE_MAX)
		return 0;
	got = iq_json_pointer(pair->got_text, place->path, &scratch);
	if (got.type != IQ_JSON_NONE && !same_value(pair->judge, place, &got) &&
	    !is_ignored(pair->judge, place->path) && !iq_shape_is_volatile(pair->judge->shape, pair->type, place->path))
		note(pair, IQ_DIFFERENCE_VALUE, true, "%.*s: %.*s is %.*s, not %.*s", IQ_VIEW_ARG(shown(pair->type)),
		     IQ_VIEW_ARG(iq_utf8_cut(place->path, 60)), IQ_VIEW_ARG(iq_utf8_cut(got.raw, 60)),
		     IQ_VIEW_ARG(iq_utf8_cut(place->value, 60)));
	iq_buf_release(&scratch);
	return 0;
}

static int compare(struct pair *pair, const struct iq_event *event)
{
	const bool is_binary = iq_event_is_binary(event);
	const struct iq_judge *judge = pair->judge;
	const struct iq_turn *turn = pair->turn == IQ_NO_TURN ? NULL : &judge->plan->turns[pair->turn];
	int rc;

	if (judge->options->compare == IQ_COMPARE_NONE)
		return 0;
	if (turn && turn->is_binary != is_binary)
		note(pair, IQ_DIFFERENCE_NOT_JSON, true, "%.*s is %s", IQ_VIEW_ARG(shown(pair->type)),
		     is_binary ? "binary, not text" : "text, not binary");
	rc = event->body_is_binary ? 0 : iq_shape_compare(judge->shape, pair->type, pair->got_text, tell_unlike, pair);
	if (rc == 0 && turn && judge->options->compare == IQ_COMPARE_VALUES)
		rc = iq_rewrite(turn->texts[IQ_SLOT_BODY], compare_value, pair, NULL);
	return rc < 0 ? rc : 0;
}

/* ---- Order, types, times ---- */

/* Should it have come before something that is there already? */
static void judge_order(const struct pair *pair)
{
	const struct iq_judge *judge = pair->judge;
	const struct iq_turn *turn = pair->turn == IQ_NO_TURN ? NULL : &judge->plan->turns[pair->turn];

	for (size_t i = 0; i < judge->shape->types.count; i++)
		if (judge->in_answer[i] == judge->answer + 1 && !iq_type_is_periodic(pair->type) &&
		    iq_shape_precedes(judge->shape, pair->type, judge->shape->types.entries[i].key)) {
			note(pair, IQ_DIFFERENCE_ORDER, true, "%.*s came after %.*s, before it in all recordings (%u)",
			     IQ_VIEW_ARG(shown(pair->type)), IQ_VIEW_ARG(shown(judge->shape->types.entries[i].key)),
			     judge->shape->recordings);
			return;
		}
	if (turn && pair->turn + 1 < judge->furthest && !turn->is_periodic)
		note(pair, IQ_DIFFERENCE_ORDER, false, "%.*s came later than in the recording",
		     IQ_VIEW_ARG(shown(pair->type)));
}

static void judge_unknown(const struct pair *pair)
{
	struct iq_judge *judge = pair->judge;

	if (iq_type_is_periodic(pair->type) || iq_map_get(&judge->unknown, pair->type) ||
	    judge->options->compare == IQ_COMPARE_NONE)
		return;
	(void)iq_map_set(&judge->unknown, pair->type, 1);
	note(pair, IQ_DIFFERENCE_UNEXPECTED, true, "%.*s came, which the recording does not have",
	     IQ_VIEW_ARG(shown(pair->type)));
}

void iq_latency_log_add(struct iq_latency_log *log, int64_t took)
{
	if (IQ_ARRAY_GROW(log->items, log->capacity, log->count + 1) == 0)
		log->items[log->count++] = took;
}

/* Since the client's last message. The first answer to it is what latencies are of; each may be slow, which is told once. */
static void judge_time(const struct pair *pair)
{
	struct iq_judge *judge = pair->judge;
	const struct iq_turn *turn = &judge->plan->turns[pair->turn], *sent;
	const int64_t took = iq_clock_monotonic() - judge->sent_at;
	int64_t before;

	if (judge->sent_turn == IQ_NO_TURN || pair->turn < judge->sent_turn || turn->is_periodic)
		return;
	sent = &judge->plan->turns[judge->sent_turn];
	if (!judge->timed && judge->latencies)
		iq_latency_log_add(judge->latencies, took);
	judge->timed = true;
	if (sent->ts == IQ_TIME_NONE || turn->ts == IQ_TIME_NONE)
		return;
	before = turn->ts > sent->ts ? turn->ts - sent->ts : 0;
	if (took - before > judge->lived->slowest_ns)
		judge->lived->slowest_ns = took - before;
	if (judge->options->max_slowdown > 0 && !judge->slow &&
	    (double)took > (double)before * judge->options->max_slowdown + (double)IQ_REPLAY_SLACK_NS) {
		char now[IQ_RFC3339_SIZE], then[IQ_RFC3339_SIZE];

		judge->slow = true;
		note(pair, IQ_DIFFERENCE_SLOW, true, "%.*s took %s, %s in the recording",
		     IQ_VIEW_ARG(shown(pair->type)), iq_duration_format(took, now), iq_duration_format(before, then));
	}
}

/* ---- Messages ---- */

static int take_match(struct pair *pair, struct iq_view key)
{
	struct iq_judge *judge = pair->judge;
	const struct iq_turn *turn = &judge->plan->turns[pair->turn];
	int rc = learn_key(judge, turn->key, key);

	judge->matched[pair->turn] = true;
	if (rc >= 0)
		rc = iq_values_learn(judge->values, pair->turn, IQ_SLOT_BODY, pair->got_text);
	judge_time(pair);
	if (judge->furthest < pair->turn + 1)
		judge->furthest = pair->turn + 1;
	return rc < 0 ? rc : 0;
}

static int note_seen(struct iq_judge *judge, const struct iq_shape_type *type)
{
	const size_t index = (size_t)(type - judge->shape->type_items);
	struct iq_buf key = IQ_BUF_INIT;
	int rc = 0;

	judge->seen[index]++;
	if (judge->in_answer[index] != judge->answer + 1) {
		judge->in_answer[index] = judge->answer + 1;
		iq_shape_answer_key(&key, type->name, judge->answer);
		rc = iq_map_set(&judge->answered, iq_buf_view(&key), 1);
		iq_buf_release(&key);
	}
	return rc;
}

int iq_judge_message(struct iq_judge *judge, const struct iq_event *event, uint64_t id, uint32_t horizon)
{
	const uint32_t type = iq_plan_find_type(judge->plan, event->type);
	struct pair pair = { judge, find_turn(judge, type, event->key, horizon), id, event->body,
			     event->type.data ? event->type : IQ_LIT("") };
	const struct iq_shape_type *known = iq_shape_type(judge->shape, pair.type);
	int rc = 0;

	judge->heard = pair.turn != IQ_NO_TURN || (known && !iq_type_is_periodic(pair.type));
	if (!known)
		judge_unknown(&pair);
	else
		rc = compare(&pair, event);
	if (rc == 0 && known)
		judge_order(&pair);
	if (rc == 0 && pair.turn != IQ_NO_TURN)
		rc = take_match(&pair, event->key);
	return rc == 0 && known ? note_seen(judge, known) : rc;
}

int iq_judge_response(struct iq_judge *judge, uint32_t turn, uint16_t status, struct iq_view headers,
		      struct iq_view body)
{
	const struct pair pair = { judge, turn, 0, body, IQ_VIEW_NULL };
	const uint16_t recorded = judge->plan->turns[turn].code;
	int rc;

	judge->matched[turn] = true;
	if (status != recorded)
		note(&pair, IQ_DIFFERENCE_STATUS, true, "%.*s was answered with %u, not with %u",
		     IQ_VIEW_ARG(
			     iq_utf8_cut(judge->plan->turns[judge->plan->turns[turn].answers].texts[IQ_SLOT_URL], 120)),
		     status, recorded);
	rc = iq_values_learn(judge->values, turn, IQ_SLOT_HEADERS, headers);
	return rc == 0 ? iq_values_learn(judge->values, turn, IQ_SLOT_BODY, body) : rc;
}

void iq_judge_sent(struct iq_judge *judge, uint32_t turn, int64_t at)
{
	judge->sent_turn = turn;
	judge->sent_at = at;
	judge->timed = judge->slow = false;
	judge->answer++;
}

bool iq_judge_is_matched(const struct iq_judge *judge, uint32_t turn)
{
	return judge->matched[turn];
}

bool iq_judge_has_like(const struct iq_judge *judge, uint32_t turn)
{
	const struct iq_turn *wanted = &judge->plan->turns[turn];

	if (wanted->kind != IQ_KIND_WS_MESSAGE)
		return false;
	for (uint32_t other = judge->plan->first_of_type[wanted->type]; other < turn;
	     other = judge->plan->turns[other].next_same)
		if (judge->matched[other] && judge->plan->turns[other].answers == wanted->answers)
			return true;
	return false;
}

uint32_t iq_judge_first_open(const struct iq_judge *judge)
{
	for (uint32_t i = 0; i < judge->plan->count; i++) {
		const struct iq_turn *turn = &judge->plan->turns[i];

		if (turn->kind == IQ_KIND_WS_MESSAGE && turn->direction == IQ_DIRECTION_SERVER && !turn->is_periodic &&
		    !judge->matched[i])
			return i;
	}
	return IQ_NO_TURN;
}

bool iq_judge_heard_something(const struct iq_judge *judge)
{
	return judge->heard;
}

void iq_judge_unfilled(struct iq_judge *judge, const struct iq_binding *binding)
{
	const struct pair pair = { judge, binding->source.turn, 0, IQ_VIEW_NULL, IQ_VIEW_NULL };

	note(&pair, IQ_DIFFERENCE_FIELD, true,
	     "no %.*s in what stands for event %" PRIu64 ", which the client sends back",
	     IQ_VIEW_ARG(iq_utf8_cut(binding->source.path, 100)), judge->plan->turns[binding->source.turn].id);
}

/* ---- The end ---- */

static const struct iq_turn *servers_close(const struct iq_plan *plan)
{
	const struct iq_turn *close = plan->close == IQ_NO_TURN ? NULL : &plan->turns[plan->close];

	return close && close->direction == IQ_DIRECTION_SERVER ? close : NULL;
}

void iq_judge_closed(struct iq_judge *judge, uint16_t code, bool clean)
{
	const struct iq_turn *close = servers_close(judge->plan);
	const struct pair pair = { judge, close ? judge->plan->close : IQ_NO_TURN, 0, IQ_VIEW_NULL, IQ_VIEW_NULL };

	if (close && clean && close->code == code)
		return;
	if (!clean)
		note(&pair, IQ_DIFFERENCE_CLOSE, true, "the target cut the connection");
	else if (close)
		note(&pair, IQ_DIFFERENCE_CLOSE, true, "the target closed with %u, not with %u", code, close->code);
	else
		note(&pair, IQ_DIFFERENCE_CLOSE, true, "the target closed with %u by itself", code);
}

void iq_judge_no_close(struct iq_judge *judge)
{
	const struct iq_turn *close = servers_close(judge->plan);
	const struct pair pair = { judge, judge->plan->close, 0, IQ_VIEW_NULL, IQ_VIEW_NULL };

	if (close)
		note(&pair, IQ_DIFFERENCE_CLOSE, true, "the target did not close, with %u in the recording",
		     close->code);
}

/* How often a type came, where it is always the same; at all, where it always came. */
static void judge_count(struct iq_judge *judge, size_t index)
{
	const struct iq_shape_type *type = &judge->shape->type_items[index];
	const uint32_t plan_type = iq_plan_find_type(judge->plan, type->name);
	const uint32_t got = judge->seen[index];
	const struct pair pair = { judge, plan_type == UINT32_MAX ? IQ_NO_TURN : judge->plan->first_of_type[plan_type],
				   0, IQ_VIEW_NULL, type->name };
	char most[16];

	(void)snprintf(most, sizeof(most), "%" PRIu32, type->most);
	if (iq_type_is_periodic(type->name) || (got >= type->least && got <= type->most))
		return;
	if (got == 0)
		note(&pair, IQ_DIFFERENCE_MISSING, true, "%.*s did not come", IQ_VIEW_ARG(shown(type->name)));
	else
		note(&pair, IQ_DIFFERENCE_COUNT,
		     type->least == type->most && judge->shape->recordings >= IQ_SHAPE_COUNTS,
		     "%.*s came %" PRIu32 " times, not %" PRIu32 "%s%s", IQ_VIEW_ARG(shown(type->name)), got,
		     type->least, type->least == type->most ? "" : " to ", type->least == type->most ? "" : most);
}

/* Is it in all recordings among what answers this message of the client's, and now it is not? */
static void judge_answer(struct iq_judge *judge, const struct iq_turn *turn)
{
	const struct iq_view type = judge->plan->types.entries[turn->type].key;
	const struct pair pair = { judge, (uint32_t)(turn - judge->plan->turns), 0, IQ_VIEW_NULL, type };
	struct iq_buf key = IQ_BUF_INIT;

	iq_shape_answer_key(&key, type, turn->answers);
	if (!iq_map_get(&judge->answered, iq_buf_view(&key)) &&
	    iq_shape_always_answers(judge->shape, type, turn->answers)) {
		note(&pair, IQ_DIFFERENCE_MISSING, true, "%.*s did not come in answer to message %" PRIu32,
		     IQ_VIEW_ARG(shown(type)), turn->answers);
		/* Once is enough. */
		(void)iq_map_set(&judge->answered, iq_buf_view(&key), 1);
	}
	iq_buf_release(&key);
}

static void judge_answers(struct iq_judge *judge)
{
	for (uint32_t i = 0; i < judge->plan->count; i++) {
		const struct iq_turn *turn = &judge->plan->turns[i];

		if (turn->kind == IQ_KIND_WS_MESSAGE && turn->direction == IQ_DIRECTION_SERVER && !turn->is_periodic &&
		    judge->seen[iq_shape_type(judge->shape, judge->plan->types.entries[turn->type].key) -
				judge->shape->type_items] > 0)
			judge_answer(judge, turn);
	}
}

static void conclude(struct iq_lived *lived, const struct iq_plan *plan)
{
	const bool failed = lived->outcome == IQ_REPLAY_STALLED || lived->outcome == IQ_REPLAY_CUT;

	lived->verdict = IQ_VERDICT_UNDETERMINED;
	if (lived->outcome == IQ_REPLAY_UNREACHABLE || lived->outcome == IQ_REPLAY_WITHHELD ||
	    lived->outcome == IQ_REPLAY_INTERRUPTED)
		return;
	if (plan->incomplete.data && (failed || lived->judged == 0)) {
		(void)snprintf(lived->reason, sizeof(lived->reason), "the recording is not whole: %.*s",
			       IQ_VIEW_ARG(iq_utf8_cut(plan->incomplete, 200)));
		return;
	}
	lived->verdict = failed || lived->judged > 0 ? IQ_VERDICT_VIOLATED : IQ_VERDICT_OK;
	for (size_t i = 0; lived->reason[0] == '\0' && i < lived->difference_count; i++)
		if (lived->differences[i].is_judged)
			(void)snprintf(lived->reason, sizeof(lived->reason), "%s", lived->differences[i].text);
}

void iq_judge_end(struct iq_judge *judge)
{
	struct iq_lived *lived = judge->lived;

	if (lived->outcome == IQ_REPLAY_DONE && judge->options->compare != IQ_COMPARE_NONE) {
		for (size_t i = 0; i < judge->shape->types.count; i++)
			judge_count(judge, i);
		judge_answers(judge);
	}
	conclude(lived, judge->plan);
}
