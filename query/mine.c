#include "query/mine.h"

#include <ctype.h>
#include <stdlib.h>

#define NONE UINT32_MAX

/* ---- Sequences ---- */

void iq_mine_init(struct iq_mine *mine)
{
	*mine = (struct iq_mine){ .known = IQ_MAP_INIT, .memory = IQ_ARENA_INIT };
}

void iq_mine_release(struct iq_mine *mine)
{
	iq_map_release(&mine->known);
	iq_arena_release(&mine->memory);
	free(mine->traces);
}

int iq_mine_add(struct iq_mine *mine, const uint32_t *symbols, size_t count)
{
	const struct iq_view bytes = iq_view_make(count > 0 ? (const char *)symbols : "", count * sizeof(*symbols));
	uint32_t index;
	uint32_t *copy;
	int rc = iq_map_intern(&mine->known, bytes, &index);

	if (rc <= 0)
		return rc;
	copy = iq_arena_calloc(&mine->memory, count + 1, sizeof(*copy));
	if (!copy || IQ_ARRAY_GROW(mine->traces, mine->capacity, mine->count + 1) < 0)
		return IQ_ERR_NOMEM;
	iq_copy((char *)copy, bytes.data, bytes.len);
	mine->traces[mine->count++] = (struct iq_mine_trace){ copy, count };
	return 0;
}

/* ---- Expressions ---- */

enum form { FORM_EMPTY, FORM_NAME, FORM_SEQUENCE, FORM_CHOICE, FORM_INTERLEAVE, FORM_REPEAT };

struct node {
	enum form form;
	uint32_t symbol;
	uint32_t least; /* of a repetition: 0 or 1, */
	bool once;	/* and at most one */
	struct node *first;
	struct node *next; /* its neighbour */
};

/* What one call works on: the traces, and what directly follows what among their symbols. */
struct part {
	struct iq_mine *out; /* whose memory the nodes lie in */
	const struct iq_mine *log;
	size_t names; /* of all */
	bool *present;
	bool *starts;
	bool *ends;
	bool *follows; /* [a * names + b] */
	uint32_t *group;
	uint32_t groups;
};

static int mine(struct iq_mine *out, const struct iq_mine *log, size_t names, struct node **ret_node);

static struct node *new_node(struct iq_mine *out, enum form form)
{
	struct node *node = iq_arena_calloc(&out->memory, 1, sizeof(*node));

	if (node)
		node->form = form;
	return node;
}

static bool may_be_empty(const struct node *node)
{
	bool all = true, any = false;

	if (node->form == FORM_EMPTY || node->form == FORM_NAME)
		return node->form == FORM_EMPTY;
	if (node->form == FORM_REPEAT && node->least == 0)
		return true;
	for (const struct node *child = node->first; child; child = child->next) {
		const bool empty = may_be_empty(child);

		all &= empty;
		any |= empty;
	}
	return node->form == FORM_CHOICE ? any : all;
}

/* `x?`, `x*`, `x+`, told apart by what is repeated already. */
static struct node *repeat(struct iq_mine *out, struct node *inner, uint32_t least, bool once)
{
	struct node *node = inner;

	if (!inner || inner->form == FORM_EMPTY || (once && least == 0 && may_be_empty(inner)))
		return inner;
	if (inner->form != FORM_REPEAT) {
		node = new_node(out, FORM_REPEAT);
		if (!node)
			return NULL;
		*node = (struct node){ .form = FORM_REPEAT, .least = least, .once = once, .first = inner };
		return node;
	}
	node->least = node->least < least ? node->least : least;
	node->once = node->once && once;
	return node;
}

/* Puts a child behind the others; a child of the same form gives its own children. */
static void add_child(struct node *parent, struct node *child)
{
	struct node **end = &parent->first;

	while (*end)
		end = &(*end)->next;
	*end = child->form == parent->form ? child->first : child;
}

/* ---- What follows what ---- */

static int begin_part(struct part *part, struct iq_mine *out, const struct iq_mine *log, size_t names)
{
	*part = (struct part){ .out = out, .log = log, .names = names };
	part->present = iq_arena_calloc(&out->memory, names, 1);
	part->starts = iq_arena_calloc(&out->memory, names, 1);
	part->ends = iq_arena_calloc(&out->memory, names, 1);
	part->follows = iq_arena_calloc(&out->memory, names * names, 1);
	part->group = iq_arena_calloc(&out->memory, names, sizeof(*part->group));
	if (out->memory.failed)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < log->count; i++) {
		const struct iq_mine_trace *trace = &log->traces[i];

		for (size_t at = 0; at < trace->count; at++) {
			part->present[trace->symbols[at]] = true;
			if (at > 0)
				part->follows[trace->symbols[at - 1] * names + trace->symbols[at]] = true;
		}
		if (trace->count > 0) {
			part->starts[trace->symbols[0]] = true;
			part->ends[trace->symbols[trace->count - 1]] = true;
		}
	}
	return 0;
}

static bool follows(const struct part *part, size_t a, size_t b)
{
	return part->follows[a * part->names + b];
}

/* Numbers the groups from 0 in the order of their first symbols. */
static void number_groups(struct part *part)
{
	uint32_t numbers[IQ_MINE_MAX_NAMES];

	part->groups = 0;
	for (size_t i = 0; i < part->names; i++)
		numbers[i] = NONE;
	for (size_t i = 0; i < part->names; i++) {
		if (!part->present[i])
			continue;
		if (numbers[part->group[i]] == NONE)
			numbers[part->group[i]] = part->groups++;
		part->group[i] = numbers[part->group[i]];
	}
}

static void join(struct part *part, size_t a, size_t b)
{
	const uint32_t from = part->group[b], into = part->group[a];

	for (size_t i = 0; i < part->names; i++)
		if (part->group[i] == from)
			part->group[i] = into;
}

static void each_alone(struct part *part)
{
	for (size_t i = 0; i < part->names; i++)
		part->group[i] = (uint32_t)i;
}

/* ---- Cuts: more than one group where there is such a cut ---- */

static void cut_choice(struct part *part)
{
	each_alone(part);
	for (size_t a = 0; a < part->names; a++)
		for (size_t b = 0; b < part->names; b++)
			if (follows(part, a, b))
				join(part, a, b);
	number_groups(part);
}

static void close_reach(const struct part *part, bool *reach)
{
	const size_t n = part->names;

	memcpy(reach, part->follows, n * n);
	for (size_t middle = 0; middle < n; middle++)
		for (size_t a = 0; a < n; a++)
			for (size_t b = 0; reach[a * n + middle] && b < n; b++)
				reach[a * n + b] |= reach[middle * n + b];
}

/* A group comes before those that it reaches; those that reach each other, or not at all, are one. */
static void order_groups(struct part *part, const bool *reach)
{
	uint32_t before[IQ_MINE_MAX_NAMES] = { 0 };

	for (size_t a = 0; a < part->names; a++)
		for (size_t b = 0; b < part->names && part->present[a]; b++)
			if (part->present[b] && part->group[a] != part->group[b] && reach[b * part->names + a])
				before[a]++;
	for (size_t a = 0; a < part->names; a++)
		if (part->present[a])
			part->group[a] = before[a];
}

/* Numbers the groups from 0, in the order that they have. */
static void sort_groups(struct part *part)
{
	uint32_t lowest[IQ_MINE_MAX_NAMES + 2], place[IQ_MINE_MAX_NAMES + 2];
	uint32_t count = 0;

	for (uint32_t value = 0; value <= part->names; value++)
		for (size_t i = 0; i < part->names; i++)
			if (part->present[i] && part->group[i] == value) {
				lowest[count++] = value;
				break;
			}
	for (uint32_t i = 0; i < count; i++)
		place[lowest[i]] = i;
	for (size_t i = 0; i < part->names; i++)
		if (part->present[i])
			part->group[i] = place[part->group[i]];
	part->groups = count;
}

static int cut_sequence(struct part *part)
{
	const size_t n = part->names;
	bool *reach = iq_arena_calloc(&part->out->memory, n * n, 1);

	if (!reach)
		return IQ_ERR_NOMEM;
	close_reach(part, reach);
	each_alone(part);
	for (size_t a = 0; a < n; a++)
		for (size_t b = 0; b < n; b++)
			if (part->present[a] && part->present[b] && reach[a * n + b] == reach[b * n + a])
				join(part, a, b);
	order_groups(part, reach);
	sort_groups(part);
	return 0;
}

static bool group_starts_and_ends(const struct part *part, uint32_t group)
{
	bool starts = false, ends = false;

	for (size_t i = 0; i < part->names; i++) {
		starts |= part->present[i] && part->group[i] == group && part->starts[i];
		ends |= part->present[i] && part->group[i] == group && part->ends[i];
	}
	return starts && ends;
}

/* All of one group may stand directly before and behind all of the others. */
static void cut_interleave(struct part *part)
{
	each_alone(part);
	for (size_t a = 0; a < part->names; a++)
		for (size_t b = 0; b < a; b++)
			if (part->present[a] && part->present[b] && (!follows(part, a, b) || !follows(part, b, a)))
				join(part, a, b);
	number_groups(part);
	for (uint32_t group = 0; group < part->groups; group++)
		if (!group_starts_and_ends(part, group))
			part->groups = 1;
	if (part->groups > IQ_MINE_MAX_INTERLEAVED)
		part->groups = 1;
}

/* Does the group only lead from ends to starts, from all and to all? */
static bool leads_back(const struct part *part, uint32_t group)
{
	for (size_t c = 0; c < part->names; c++) {
		bool from_end = false, to_start = false;

		if (!part->present[c] || part->group[c] != group)
			continue;
		for (size_t i = 0; i < part->names; i++) {
			if (part->group[i] == group && part->present[i])
				continue;
			if ((follows(part, i, c) && !part->ends[i]) || (follows(part, c, i) && !part->starts[i]))
				return false;
			from_end |= follows(part, i, c);
			to_start |= follows(part, c, i);
		}
		for (size_t i = 0; i < part->names; i++)
			if ((from_end && part->ends[i] && !follows(part, i, c)) ||
			    (to_start && part->starts[i] && !follows(part, c, i)))
				return false;
	}
	return true;
}

/* Group 0 is what is repeated, the others stand between. */
static void cut_loop(struct part *part)
{
	size_t body = part->names;
	uint32_t body_group;

	each_alone(part);
	for (size_t a = 0; a < part->names; a++) {
		const bool edge = part->starts[a] || part->ends[a];

		for (size_t b = 0; b < part->names && !edge; b++)
			if (follows(part, a, b) && !part->starts[b] && !part->ends[b])
				join(part, a, b);
		if (edge && body == part->names)
			body = a;
		else if (edge)
			join(part, body, a);
	}
	body_group = part->group[body];
	for (size_t i = 0; i < part->names; i++)
		if (part->present[i] && part->group[i] != body_group && !leads_back(part, part->group[i]))
			join(part, body, i);
	body_group = part->group[body];
	for (size_t i = 0; i < part->names; i++)
		part->group[i] = part->group[i] == body_group ? 0 : part->group[i] + 1;
	sort_groups(part);
}

/* ---- Splitting ---- */

struct split {
	struct iq_mine *logs;
	uint32_t *symbols; /* room for the longest trace */
};

static int open_split(struct split *split, const struct iq_mine *log, size_t logs)
{
	size_t longest = 1;

	for (size_t i = 0; i < log->count; i++)
		longest = log->traces[i].count > longest ? log->traces[i].count : longest;
	split->logs = calloc(logs, sizeof(*split->logs));
	split->symbols = calloc(longest, sizeof(*split->symbols));
	for (size_t i = 0; split->logs && i < logs; i++)
		iq_mine_init(&split->logs[i]);
	return split->logs && split->symbols ? 0 : IQ_ERR_NOMEM;
}

static void close_split(struct split *split, size_t logs)
{
	for (size_t i = 0; split->logs && i < logs; i++)
		iq_mine_release(&split->logs[i]);
	free(split->logs);
	free(split->symbols);
}

/* What of the trace is of the group. */
static int project(const struct part *part, struct split *split, const struct iq_mine_trace *trace, uint32_t group)
{
	size_t count = 0;

	for (size_t i = 0; i < trace->count; i++)
		if (part->group[trace->symbols[i]] == group)
			split->symbols[count++] = trace->symbols[i];
	return iq_mine_add(&split->logs[group], split->symbols, count);
}

static int split_projected(const struct part *part, struct split *split)
{
	int rc = 0;

	for (size_t i = 0; i < part->log->count; i++)
		for (uint32_t group = 0; group < part->groups && rc >= 0; group++)
			rc = project(part, split, &part->log->traces[i], group);
	return rc;
}

static int split_choice(const struct part *part, struct split *split)
{
	int rc = 0;

	for (size_t i = 0; i < part->log->count && rc >= 0; i++) {
		const struct iq_mine_trace *trace = &part->log->traces[i];

		rc = iq_mine_add(&split->logs[part->group[trace->symbols[0]]], trace->symbols, trace->count);
	}
	return rc;
}

/* Each piece between changes of the group is a trace of its own. */
static int split_loop(const struct part *part, struct split *split)
{
	int rc = 0;

	for (size_t i = 0; i < part->log->count; i++) {
		const struct iq_mine_trace *trace = &part->log->traces[i];

		for (size_t from = 0, to; from < trace->count && rc >= 0; from = to) {
			const uint32_t group = part->group[trace->symbols[from]];

			for (to = from + 1; to < trace->count && part->group[trace->symbols[to]] == group;)
				to++;
			rc = iq_mine_add(&split->logs[group], trace->symbols + from, to - from);
		}
	}
	return rc;
}

/* The children of a node, one for each group from `first` on. */
static int mine_groups(const struct part *part, struct split *split, uint32_t first, struct node *parent)
{
	int rc = 0;

	for (uint32_t group = first; group < part->groups && rc == 0; group++) {
		struct node *child;

		rc = mine(part->out, &split->logs[group], part->names, &child);
		if (rc == 0)
			add_child(parent, child);
	}
	return rc;
}

static int mine_split(const struct part *part, enum form form,
		      int (*divide)(const struct part *part, struct split *split), struct node **ret_node)
{
	struct split split;
	int rc = open_split(&split, part->log, part->groups);

	*ret_node = new_node(part->out, form);
	if (rc >= 0 && *ret_node)
		rc = divide(part, &split);
	if (rc >= 0)
		rc = *ret_node ? mine_groups(part, &split, 0, *ret_node) : IQ_ERR_NOMEM;
	close_split(&split, part->groups);
	return rc;
}

/* ---- Loops: `body, (between, body)*` ---- */

static struct node *copy_node(struct iq_mine *out, const struct node *node)
{
	struct node *copy = new_node(out, node->form), **end;

	if (!copy)
		return NULL;
	*copy = *node;
	copy->next = NULL;
	end = &copy->first;
	*end = NULL;
	for (const struct node *child = node->first; child; child = child->next) {
		*end = copy_node(out, child);
		if (!*end)
			return NULL;
		end = &(*end)->next;
	}
	return copy;
}

static int loop_node(const struct part *part, struct split *split, struct node **ret_node)
{
	struct node *between = new_node(part->out, FORM_CHOICE), *round = new_node(part->out, FORM_SEQUENCE);
	struct node *whole = new_node(part->out, FORM_SEQUENCE), *body = NULL, *again;
	int rc = between && round && whole ? mine(part->out, &split->logs[0], part->names, &body) : IQ_ERR_NOMEM;

	if (rc == 0)
		rc = mine_groups(part, split, 1, between);
	again = rc == 0 ? copy_node(part->out, body) : NULL;
	if (!again)
		return rc < 0 ? rc : IQ_ERR_NOMEM;
	add_child(round, between->first && !between->first->next ? between->first : between);
	add_child(round, again);
	add_child(whole, body);
	round = repeat(part->out, round, 0, false);
	if (!round)
		return IQ_ERR_NOMEM;
	add_child(whole, round);
	*ret_node = whole;
	return 0;
}

static int mine_loop(const struct part *part, struct node **ret_node)
{
	struct split split;
	int rc = open_split(&split, part->log, part->groups);

	if (rc >= 0)
		rc = split_loop(part, &split);
	if (rc >= 0)
		rc = loop_node(part, &split, ret_node);
	close_split(&split, part->groups);
	return rc;
}

/* ---- Where there is no cut ---- */

/* Does a new round begin between the two? `strict`: only behind an end. */
static bool is_seam(const struct part *part, uint32_t before, uint32_t after, bool strict)
{
	return part->starts[after] && (!strict || part->ends[before]);
}

/* Splits where a round ends; false, in *ret_any, where there is no such place. */
static int split_rounds(const struct part *part, bool strict, struct iq_mine *rounds, bool *ret_any)
{
	int rc = 0;

	*ret_any = false;
	for (size_t i = 0; i < part->log->count; i++) {
		const struct iq_mine_trace *trace = &part->log->traces[i];
		size_t from = 0;

		for (size_t at = 1; at <= trace->count && rc >= 0; at++) {
			if (at < trace->count && !is_seam(part, trace->symbols[at - 1], trace->symbols[at], strict))
				continue;
			*ret_any |= at < trace->count;
			rc = iq_mine_add(rounds, trace->symbols + from, at - from);
			from = at;
		}
	}
	return rc;
}

/* 1 where rounds were found. */
static int mine_rounds(const struct part *part, bool strict, struct node **ret_node)
{
	struct iq_mine rounds;
	bool any;
	int rc;

	iq_mine_init(&rounds);
	rc = split_rounds(part, strict, &rounds, &any);
	if (rc >= 0 && any)
		rc = mine(part->out, &rounds, part->names, ret_node);
	iq_mine_release(&rounds);
	if (rc < 0 || !any)
		return rc < 0 ? rc : 0;
	*ret_node = repeat(part->out, *ret_node, 1, false);
	return *ret_node ? 1 : IQ_ERR_NOMEM;
}

static bool once_in_each(const struct part *part, uint32_t symbol)
{
	for (size_t i = 0; i < part->log->count; i++) {
		size_t count = 0;

		for (size_t at = 0; at < part->log->traces[i].count; at++)
			count += part->log->traces[i].symbols[at] == symbol;
		if (count != 1)
			return false;
	}
	return true;
}

/* A name that is there once in each may stand anywhere beside the rest. 1 where there is one. */
static int mine_once(struct part *part, struct node **ret_node)
{
	size_t once = 0;
	int rc;

	while (once < part->names && !(part->present[once] && once_in_each(part, (uint32_t)once)))
		once++;
	if (once == part->names)
		return 0;
	for (size_t i = 0; i < part->names; i++)
		part->group[i] = i != once;
	part->groups = 2;
	rc = mine_split(part, FORM_INTERLEAVE, split_projected, ret_node);
	return rc < 0 ? rc : 1;
}

/* Anything, any number of times. */
static int mine_anything(const struct part *part, struct node **ret_node)
{
	struct node *choice = new_node(part->out, FORM_CHOICE);

	for (size_t i = 0; i < part->names && choice; i++) {
		struct node *name = part->present[i] ? new_node(part->out, FORM_NAME) : NULL;

		if (!name)
			continue;
		name->symbol = (uint32_t)i;
		add_child(choice, name);
	}
	*ret_node = repeat(part->out, choice, 1, false);
	return *ret_node && !part->out->memory.failed ? 0 : IQ_ERR_NOMEM;
}

static int mine_without_cut(struct part *part, struct node **ret_node)
{
	int rc = mine_rounds(part, true, ret_node);

	if (rc == 0)
		rc = mine_once(part, ret_node);
	if (rc == 0)
		rc = mine_rounds(part, false, ret_node);
	return rc == 0 ? mine_anything(part, ret_node) : rc < 0 ? rc : 0;
}

/* ---- One part ---- */

static int mine_name(struct part *part, uint32_t symbol, struct node **ret_node)
{
	bool repeats = false;

	for (size_t i = 0; i < part->log->count; i++)
		repeats |= part->log->traces[i].count > 1;
	*ret_node = new_node(part->out, FORM_NAME);
	if (*ret_node)
		(*ret_node)->symbol = symbol;
	if (repeats || part->out->names[symbol].any_number)
		*ret_node = repeat(part->out, *ret_node, part->out->names[symbol].any_number ? 0 : 1, false);
	return *ret_node ? 0 : IQ_ERR_NOMEM;
}

static int mine_cut(struct part *part, struct node **ret_node)
{
	int rc;

	cut_choice(part);
	if (part->groups > 1)
		return mine_split(part, FORM_CHOICE, split_choice, ret_node);
	rc = cut_sequence(part);
	if (rc < 0)
		return rc;
	if (part->groups > 1)
		return mine_split(part, FORM_SEQUENCE, split_projected, ret_node);
	cut_interleave(part);
	if (part->groups > 1)
		return mine_split(part, FORM_INTERLEAVE, split_projected, ret_node);
	cut_loop(part);
	if (part->groups > 1)
		return mine_loop(part, ret_node);
	return mine_without_cut(part, ret_node);
}

/* Traces none of which is empty. */
static int mine_filled(struct iq_mine *out, const struct iq_mine *log, size_t names, struct node **ret_node)
{
	struct part part;
	size_t count = 0;
	uint32_t last = 0;
	int rc = begin_part(&part, out, log, names);

	for (size_t i = 0; i < names && rc == 0; i++) {
		count += part.present[i];
		last = part.present[i] ? (uint32_t)i : last;
	}
	if (rc < 0)
		return rc;
	return count == 1 ? mine_name(&part, last, ret_node) : mine_cut(&part, ret_node);
}

static int mine(struct iq_mine *out, const struct iq_mine *log, size_t names, struct node **ret_node)
{
	struct iq_mine filled;
	int rc = 0;

	iq_mine_init(&filled);
	for (size_t i = 0; i < log->count && rc >= 0; i++)
		if (log->traces[i].count > 0)
			rc = iq_mine_add(&filled, log->traces[i].symbols, log->traces[i].count);
	if (rc >= 0 && filled.count == 0) {
		*ret_node = new_node(out, FORM_EMPTY);
		rc = *ret_node ? 0 : IQ_ERR_NOMEM;
	} else if (rc >= 0) {
		rc = mine_filled(out, &filled, names, ret_node);
		if (rc == 0 && filled.count < log->count)
			*ret_node = repeat(out, *ret_node, 0, true);
		rc = rc == 0 && !*ret_node ? IQ_ERR_NOMEM : rc;
	}
	iq_mine_release(&filled);
	return rc;
}

/* ---- Writing ---- */

static bool is_bare(struct iq_view name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!isalnum((unsigned char)name.data[i]) && !strchr("_.-:/@$", name.data[i]))
			return false;
	return name.len > 0;
}

bool iq_order_append_name(struct iq_buf *out, struct iq_view name)
{
	const bool bare = is_bare(name);
	const char quote = name.len > 0 && memchr(name.data, '\'', name.len) ? '"' : '\'';
	bool writable = name.len > 0 && !memchr(name.data, quote, name.len) && iq_utf8_valid(name);

	for (size_t i = 0; i < name.len; i++)
		writable &= (unsigned char)name.data[i] >= 0x20;
	if (!writable)
		return false;
	if (!bare)
		(void)iq_buf_append_char(out, quote);
	(void)iq_buf_append(out, name);
	if (!bare)
		(void)iq_buf_append_char(out, quote);
	return true;
}

static void write_node(struct iq_buf *out, const struct node *node, const struct iq_mine_name *names, enum form around)
{
	static const char *const joints[] = {
		[FORM_SEQUENCE] = ", ", [FORM_CHOICE] = " | ", [FORM_INTERLEAVE] = " & "
	};
	const bool joined = node->form >= FORM_SEQUENCE && node->form <= FORM_INTERLEAVE && node->first->next;

	if (node->form == FORM_EMPTY) {
		(void)iq_buf_append_cstr(out, "()");
	} else if (node->form == FORM_NAME) {
		(void)iq_order_append_name(out, names[node->symbol].text);
	} else if (node->form == FORM_REPEAT) {
		write_node(out, node->first, names, FORM_REPEAT);
		(void)iq_buf_append_char(out, node->once ? '?' : node->least == 0 ? '*' : '+');
	} else {
		const bool brackets = joined && around != FORM_EMPTY;

		if (brackets)
			(void)iq_buf_append_char(out, '(');
		for (const struct node *child = node->first; child; child = child->next) {
			if (child != node->first)
				(void)iq_buf_append_cstr(out, joints[node->form]);
			write_node(out, child, names, joined ? node->form : around);
		}
		if (brackets)
			(void)iq_buf_append_char(out, ')');
	}
}

int iq_mine_order(struct iq_mine *from, const struct iq_mine_name *names, size_t name_count, struct iq_buf *out)
{
	struct node *node = NULL;
	int rc;

	if (name_count > IQ_MINE_MAX_NAMES)
		return IQ_ERR_LIMIT;
	from->names = names;
	rc = mine(from, from, name_count, &node);
	if (rc < 0)
		return rc;
	write_node(out, node, names, FORM_EMPTY);
	return out->failed ? IQ_ERR_NOMEM : 0;
}
