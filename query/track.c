#include "query/track.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "query/align.h"

int iq_numbers_add(struct iq_numbers *numbers, uint32_t number)
{
	if (iq_numbers_has(numbers, number))
		return 0;
	if (IQ_ARRAY_GROW(numbers->items, numbers->capacity, numbers->count + 1) < 0)
		return IQ_ERR_NOMEM;
	numbers->items[numbers->count++] = number;
	return 0;
}

bool iq_numbers_has(const struct iq_numbers *numbers, uint32_t number)
{
	for (size_t i = numbers->count; i-- > 0;)
		if (numbers->items[i] == number)
			return true;
	return false;
}

static int grow(struct iq_track *track)
{
	size_t capacity = track->capacity ? track->capacity * 2 : 8;
	uint64_t *ids = realloc(track->ids, capacity * sizeof(*ids));
	uint32_t *symbols;
	uint8_t *dark;

	if (!ids)
		return IQ_ERR_NOMEM;
	track->ids = ids;
	symbols = realloc(track->symbols, capacity * sizeof(*symbols));
	if (!symbols)
		return IQ_ERR_NOMEM;
	track->symbols = symbols;
	/* One more: the place after the last event may lie in the dark as well. */
	dark = realloc(track->dark_before, capacity + 1);
	if (!dark)
		return IQ_ERR_NOMEM;
	track->dark_before = dark;
	track->capacity = capacity;
	return 0;
}

struct iq_reach *iq_track_reach(const struct iq_track *track, uint32_t evidence)
{
	for (size_t i = track->reach_count; i-- > 0;)
		if (track->reaches[i].evidence == evidence)
			return &track->reaches[i];
	return NULL;
}

int iq_track_add_reach(struct iq_track *track, uint32_t evidence, size_t next_gap)
{
	struct iq_reach *grown = realloc(track->reaches, (track->reach_count + 1) * sizeof(*grown));

	if (!grown)
		return IQ_ERR_NOMEM;
	track->reaches = grown;
	track->reaches[track->reach_count++] = (struct iq_reach){ evidence, next_gap };
	return 0;
}

int iq_track_add(struct iq_track *track, uint64_t id, uint32_t symbol)
{
	if (track->count == track->capacity && grow(track) < 0)
		return IQ_ERR_NOMEM;
	track->ids[track->count] = id;
	track->symbols[track->count] = symbol;
	track->dark_before[track->count++] = track->dark;
	track->dark = false;
	return 0;
}

void iq_track_release(struct iq_track *track)
{
	free(track->ids);
	free(track->symbols);
	free(track->dark_before);
	free(track->sessions.items);
	free(track->sources.items);
	free(track->reaches);
}

/* ---- Explaining ---- */

struct explainer {
	const struct iq_track *track;
	const struct iq_lifecycle *lifecycle;
	const struct iq_map *types;
	uint64_t end_event;
	struct iq_arena *arena;
	const uint32_t *letters;
	size_t count; /* events up to its end */
	const struct iq_edit *edits;
	size_t edit_count;
};

static struct iq_view name_at(const struct explainer *explainer, size_t position)
{
	uint32_t symbol = explainer->track->symbols[position];
	uint32_t type = symbol & ~IQ_SYMBOL_UNNAMED;

	if (!(symbol & IQ_SYMBOL_UNNAMED))
		return iq_lifecycle_name(explainer->lifecycle, symbol);
	return type < explainer->types->count ? explainer->types->entries[type].key : IQ_LIT("event without a type");
}

static struct iq_view name_of(const struct explainer *explainer, const struct iq_edit *edit)
{
	return edit->op == IQ_EDIT_DROP ? name_at(explainer, edit->position)
					: iq_lifecycle_name(explainer->lifecycle, edit->symbol);
}

static int set_text(const struct explainer *explainer, struct iq_view *ret_text, const char *format, ...)
	IQ_PRINTF(3, 4);

static int set_text(const struct explainer *explainer, struct iq_view *ret_text, const char *format, ...)
{
	va_list args;
	char *text = NULL;
	int len;

	va_start(args, format);
	len = vasprintf(&text, format, args);
	va_end(args);
	if (len < 0)
		return IQ_ERR_NOMEM;
	*ret_text = iq_arena_copy(explainer->arena, iq_view_make(text, (size_t)len));
	free(text);
	return ret_text->data ? 0 : IQ_ERR_NOMEM;
}

static uint64_t id_at(const struct explainer *explainer, size_t position)
{
	return position < explainer->track->count ? explainer->track->ids[position] : explainer->end_event;
}

static int describe_insertion(const struct explainer *explainer, const struct iq_edit *edit, struct iq_finding *finding)
{
	struct iq_view name = name_of(explainer, edit);
	size_t at = edit->position;
	int rc;

	finding->expected = iq_arena_copy(explainer->arena, name);
	finding->instead.id = id_at(explainer, at);
	if (at == 0 && explainer->count > 0) {
		finding->kind = IQ_FINDING_ORPHAN;
		rc = set_text(explainer, &finding->message, "%.*s without %.*s", IQ_VIEW_ARG(name_at(explainer, 0)),
			      IQ_VIEW_ARG(name));
		return rc < 0 ? rc
			      : set_text(explainer, &finding->repair, "insert %.*s before %llu", IQ_VIEW_ARG(name),
					 (unsigned long long)id_at(explainer, 0));
	}
	finding->kind = at == explainer->count ? IQ_FINDING_UNTERMINATED : IQ_FINDING_MISSING;
	finding->after.id = id_at(explainer, at - 1);
	rc = set_text(explainer, &finding->message, "missing %.*s after %.*s", IQ_VIEW_ARG(name),
		      IQ_VIEW_ARG(name_at(explainer, at - 1)));
	return rc < 0 ? rc
		      : set_text(explainer, &finding->repair, "insert %.*s after %llu", IQ_VIEW_ARG(name),
				 (unsigned long long)finding->after.id);
}

static int describe_move(const struct explainer *explainer, const struct iq_edit *drop, const struct iq_edit *insertion,
			 struct iq_finding *finding)
{
	struct iq_view name = name_of(explainer, drop);
	size_t from = drop->position, to = insertion->position;
	bool late = to < from;
	int rc;

	finding->kind = IQ_FINDING_OUT_OF_ORDER;
	finding->expected = iq_arena_copy(explainer->arena, name);
	finding->moved.id = id_at(explainer, from);
	finding->after.id = to > 0 ? id_at(explainer, to - 1) : 0;
	finding->instead.id = id_at(explainer, to);
	rc = set_text(explainer, &finding->message, "%.*s came %s %.*s", IQ_VIEW_ARG(name), late ? "after" : "before",
		      IQ_VIEW_ARG(name_at(explainer, late ? to : to - 1)));
	return rc < 0 ? rc
		      : set_text(explainer, &finding->repair, "move %llu %s %llu",
				 (unsigned long long)finding->moved.id, late ? "before" : "after",
				 (unsigned long long)id_at(explainer, late ? to : to - 1));
}

/* How often the repaired sequence holds the symbol. */
static size_t kept_count(const struct explainer *explainer, uint32_t symbol)
{
	size_t count = 0;

	for (size_t i = 0; i < explainer->track->count; i++)
		count += explainer->letters[i] == symbol;
	for (size_t i = 0; i < explainer->edit_count; i++)
		if (explainer->edits[i].symbol == symbol)
			count = explainer->edits[i].op == IQ_EDIT_INSERT ? count + 1 : count - 1;
	return count;
}

static int describe_drop(const struct explainer *explainer, const struct iq_edit *edit, struct iq_finding *finding)
{
	struct iq_view name = name_of(explainer, edit);
	size_t kept = kept_count(explainer, edit->symbol);
	bool duplicate = kept > 0 && kept >= iq_automaton_most(explainer->lifecycle->rules[0].automaton, edit->symbol);
	int rc;

	finding->kind = duplicate ? IQ_FINDING_DUPLICATE : IQ_FINDING_UNEXPECTED;
	finding->moved.id = id_at(explainer, edit->position);
	finding->after.id = edit->position > 0 ? id_at(explainer, edit->position - 1) : 0;
	rc = edit->position > 0 ? set_text(explainer, &finding->message, "%s %.*s after %.*s",
					   duplicate ? "duplicate" : "unexpected", IQ_VIEW_ARG(name),
					   IQ_VIEW_ARG(name_at(explainer, edit->position - 1)))
				: set_text(explainer, &finding->message, "unexpected %.*s", IQ_VIEW_ARG(name));
	return rc < 0 ? rc : set_text(explainer, &finding->repair, "drop %llu", (unsigned long long)finding->moved.id);
}

/* A pair is described once, where its first half stands. */
static int describe_edit(const struct explainer *explainer, size_t index, struct iq_finding *finding, size_t *count)
{
	const struct iq_edit *edit = &explainer->edits[index];
	const struct iq_edit *partner = edit->partner == SIZE_MAX ? NULL : &explainer->edits[edit->partner];

	if (partner && edit->partner < index)
		return 0;
	(*count)++;
	if (partner)
		return edit->op == IQ_EDIT_DROP ? describe_move(explainer, edit, partner, finding)
						: describe_move(explainer, partner, edit, finding);
	return edit->op == IQ_EDIT_INSERT ? describe_insertion(explainer, edit, finding)
					  : describe_drop(explainer, edit, finding);
}

static int describe_edits(struct explainer *explainer, struct iq_finding **ret_findings, size_t *ret_count)
{
	struct iq_finding *findings = iq_arena_calloc(explainer->arena, explainer->edit_count + 1, sizeof(*findings));
	size_t count = 0;
	int rc = findings ? 0 : IQ_ERR_NOMEM;

	for (size_t i = 0; i < explainer->edit_count && rc == 0; i++)
		rc = describe_edit(explainer, i, &findings[count], &count);
	*ret_findings = findings;
	*ret_count = count;
	return rc;
}

/* No repair is known: the verdict stands, and the finding says why it has none. */
static int describe_unrepaired(const struct explainer *explainer, struct iq_finding **ret_findings, size_t *ret_count)
{
	struct iq_finding *finding = iq_arena_calloc(explainer->arena, 1, sizeof(*finding));

	if (!finding)
		return IQ_ERR_NOMEM;
	finding->kind = IQ_FINDING_UNEXPECTED;
	finding->moved.id = id_at(explainer, explainer->track->count - 1);
	finding->message = IQ_LIT("its order cannot be met");
	finding->repair = IQ_LIT("none found within the limits");
	*ret_findings = finding;
	*ret_count = 1;
	return 0;
}

static int describe_malformed(const struct explainer *explainer, struct iq_finding **ret_findings, size_t *ret_count)
{
	size_t count = explainer->track->count;
	struct iq_finding *findings = iq_arena_calloc(explainer->arena, count, sizeof(*findings));

	if (!findings)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < count; i++) {
		findings[i].kind = IQ_FINDING_MALFORMED;
		findings[i].moved.id = explainer->track->ids[i];
		findings[i].message = IQ_LIT("a message that begins like JSON and is not");
	}
	*ret_findings = findings;
	*ret_count = count;
	return 0;
}

/* Edits without the second halves of moves: so many findings they make. */
static size_t finding_count(const struct iq_edit *edits, size_t count)
{
	size_t findings = count;

	for (size_t i = 0; i < count; i++)
		findings -= edits[i].partner < i;
	return findings;
}

/* An instance that may go on could drop an early event and wait for it to come again. Where what was seen is a whole
 * order but for its arrangement, that says more in as few findings. */
static int align_open(const struct iq_alignment_problem *problem, struct iq_edit **ret_edits, size_t *ret_count)
{
	struct iq_alignment_problem whole = *problem;
	struct iq_edit *edits = NULL, *whole_edits = NULL;
	size_t count = 0, whole_count = 0;
	int rc = iq_align(problem, &edits, &count);

	whole.may_continue = false;
	if (rc == 0 && iq_align(&whole, &whole_edits, &whole_count) == 0 &&
	    finding_count(whole_edits, whole_count) <= finding_count(edits, count)) {
		free(edits);
		edits = whole_edits;
		count = whole_count;
	} else {
		free(whole_edits);
	}
	*ret_edits = edits;
	*ret_count = count;
	return rc;
}

/* Did an event that the order does not name end it? The order then takes what was before. */
static bool ends_outside(const struct explainer *explainer)
{
	const struct iq_track *track = explainer->track;

	return track->final_at != SIZE_MAX &&
	       explainer->letters[track->final_at] == IQ_LETTER_FINAL(explainer->lifecycle->rules[0].automaton);
}

/* Whatever came after a `final` event is one too many. */
static int drop_the_rest(struct explainer *explainer, struct iq_edit **edits)
{
	const size_t rest = explainer->track->count - explainer->count;
	struct iq_edit *grown = realloc(*edits, (explainer->edit_count + rest + 1) * sizeof(*grown));

	if (!grown)
		return IQ_ERR_NOMEM;
	*edits = grown;
	for (size_t i = explainer->count; i < explainer->track->count; i++)
		if (explainer->letters[i] != IQ_LETTER_FINAL(explainer->lifecycle->rules[0].automaton))
			grown[explainer->edit_count++] =
				(struct iq_edit){ IQ_EDIT_DROP, explainer->letters[i], i, SIZE_MAX };
	return 0;
}

static int align(struct explainer *explainer, bool over, struct iq_finding **ret_findings, size_t *ret_count)
{
	const struct iq_track *track = explainer->track;
	struct iq_edit *edits = NULL;
	struct iq_alignment_problem problem = {
		.automaton = explainer->lifecycle->rules[0].automaton,
		.start = track->start,
		.symbols = explainer->letters,
		.count = explainer->count - ends_outside(explainer),
		.dark = track->dark_before,
		.may_continue = !over || ends_outside(explainer),
	};
	int rc = over ? iq_align(&problem, &edits, &explainer->edit_count)
		      : align_open(&problem, &edits, &explainer->edit_count);

	if (rc == 0)
		rc = drop_the_rest(explainer, &edits);
	explainer->edits = edits;
	if (rc == IQ_ERR_LIMIT || (rc == 0 && explainer->edit_count == 0))
		rc = describe_unrepaired(explainer, ret_findings, ret_count);
	else if (rc == 0)
		rc = describe_edits(explainer, ret_findings, ret_count);
	free(edits);
	return rc;
}

int iq_track_explain(const struct iq_track *track, const struct iq_lifecycle *lifecycle, const struct iq_map *types,
		     bool over, uint64_t end_event, struct iq_arena *arena, struct iq_finding **ret_findings,
		     size_t *ret_count)
{
	struct explainer explainer = {
		.track = track, .lifecycle = lifecycle, .types = types, .end_event = end_event, .arena = arena
	};
	uint32_t *letters;
	int rc;

	if (track->malformed)
		return describe_malformed(&explainer, ret_findings, ret_count);
	letters = malloc((track->count + 1) * sizeof(*letters));
	if (!letters)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < track->count; i++)
		letters[i] = iq_rule_letter(&lifecycle->rules[0], track->symbols[i]);
	track->dark_before[track->count] = track->dark;
	explainer.letters = letters;
	explainer.count = track->final_at == SIZE_MAX ? track->count : track->final_at + 1;
	rc = align(&explainer, over, ret_findings, ret_count);
	free(letters);
	return rc;
}
