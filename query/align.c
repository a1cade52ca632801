/* Dijkstra's algorithm over (position, state), from the front, as far as the cost of the cheapest way to the end; states
 * are found while it goes, for where nested instances overlap there is no end of them. What lies on a cheapest way is
 * marked from the back, and among those ways the one is searched that makes most pairs. */
#include "query/align.h"

#include <stdlib.h>
#include <string.h>

#define NO_PARTNER SIZE_MAX
#define DEAD UINT32_MAX
#define UNKNOWN (UINT32_MAX - 1)
#define NO_COST UINT32_MAX

/* ---- States, numbered as they are met ---- */

struct iq_aligner {
	struct iq_automaton *automaton;
	uint32_t symbol_count;
	struct iq_map numbers; /* node -> number */
	iq_node *nodes;
	size_t node_capacity;
	uint32_t *next; /* [state][symbol]: number, DEAD or UNKNOWN */
	size_t next_capacity;
};

struct iq_aligner *iq_aligner_new(struct iq_automaton *automaton)
{
	struct iq_aligner *aligner = calloc(1, sizeof(*aligner));

	if (!aligner)
		return NULL;
	aligner->automaton = automaton;
	aligner->symbol_count = iq_automaton_symbols(automaton);
	return aligner;
}

void iq_aligner_free(struct iq_aligner *aligner)
{
	if (!aligner)
		return;
	iq_map_release(&aligner->numbers);
	free(aligner->nodes);
	free(aligner->next);
	free(aligner);
}

static int number_of(struct iq_aligner *aligner, iq_node node, uint32_t *ret_number)
{
	size_t from;
	int rc;

	*ret_number = DEAD;
	if (node == IQ_NODE_DEAD)
		return 0;
	rc = iq_map_intern(&aligner->numbers, iq_view_make((const char *)&node, sizeof(node)), ret_number);
	if (rc <= 0)
		return rc;
	from = (size_t)*ret_number * aligner->symbol_count;
	if (IQ_ARRAY_GROW(aligner->nodes, aligner->node_capacity, aligner->numbers.count) < 0 ||
	    IQ_ARRAY_GROW(aligner->next, aligner->next_capacity, from + aligner->symbol_count + 1) < 0)
		return IQ_ERR_NOMEM;
	aligner->nodes[*ret_number] = node;
	for (uint32_t i = 0; i < aligner->symbol_count; i++)
		aligner->next[from + i] = UNKNOWN;
	return 0;
}

static int successor(struct iq_aligner *aligner, uint32_t state, uint32_t symbol, uint32_t *ret_state)
{
	size_t at = (size_t)state * aligner->symbol_count + symbol;
	iq_node node;
	int rc;

	*ret_state = DEAD;
	if (symbol >= aligner->symbol_count)
		return 0;
	if (aligner->next[at] == UNKNOWN) {
		uint32_t number;

		rc = iq_node_step(aligner->automaton, aligner->nodes[state], symbol, &node);
		if (rc == 0)
			rc = number_of(aligner, node, &number);
		if (rc < 0)
			return rc;
		aligner->next[at] = number;
	}
	*ret_state = aligner->next[at];
	return 0;
}

/* ---- Cells ---- */

struct cell {
	uint32_t position;
	uint32_t state;
	uint32_t cost; /* of the cheapest way here */
	bool useful;   /* a cheapest way to the end leads through it */
	bool seen;
};

/* Cells that are reached at one cost. */
struct bucket {
	uint32_t *items;
	size_t count;
	size_t capacity;
};

struct field {
	const struct iq_alignment_problem *problem;
	struct iq_aligner *states;
	struct cell *cells;
	size_t count;
	size_t capacity;
	uint32_t *slots; /* index + 1, by hash of position and state; a power of two of them */
	size_t slot_count;
	struct bucket *buckets; /* by cost */
	size_t bucket_count;
	size_t bucket_capacity;
	uint32_t best; /* cost of the cheapest way to the end */
};

static void release_field(struct field *field)
{
	for (size_t i = 0; i < field->bucket_count; i++)
		free(field->buckets[i].items);
	free(field->buckets);
	free(field->cells);
	free(field->slots);
}

static size_t slot_of(const struct field *field, uint32_t position, uint32_t state)
{
	uint64_t hash = ((uint64_t)position << 32 | state) * 0x9e3779b97f4a7c15ull;

	return (size_t)(hash >> 32) & (field->slot_count - 1);
}

/* The slot of the cell, or the free one where it belongs. */
static uint32_t *find_slot(const struct field *field, uint32_t position, uint32_t state)
{
	size_t at = slot_of(field, position, state);

	while (field->slots[at] && (field->cells[field->slots[at] - 1].position != position ||
				    field->cells[field->slots[at] - 1].state != state))
		at = (at + 1) & (field->slot_count - 1);
	return &field->slots[at];
}

static struct cell *find_cell(const struct field *field, size_t position, uint32_t state)
{
	uint32_t slot = *find_slot(field, (uint32_t)position, state);

	return slot ? &field->cells[slot - 1] : NULL;
}

static int grow_slots(struct field *field)
{
	size_t count = field->slot_count ? field->slot_count * 2 : 256;
	uint32_t *slots = calloc(count, sizeof(*slots));

	if (!slots)
		return IQ_ERR_NOMEM;
	free(field->slots);
	field->slots = slots;
	field->slot_count = count;
	for (size_t i = 0; i < field->count; i++)
		*find_slot(field, field->cells[i].position, field->cells[i].state) = (uint32_t)i + 1;
	return 0;
}

static int queue_cell(struct field *field, uint32_t index, uint32_t cost)
{
	struct bucket *bucket;

	if (cost >= IQ_ALIGN_MAX_CELLS)
		return IQ_ERR_LIMIT;
	if (IQ_ARRAY_GROW(field->buckets, field->bucket_capacity, (size_t)cost + 1) < 0)
		return IQ_ERR_NOMEM;
	if (cost >= field->bucket_count)
		field->bucket_count = (size_t)cost + 1;
	bucket = &field->buckets[cost];
	if (IQ_ARRAY_GROW(bucket->items, bucket->capacity, bucket->count + 1) < 0)
		return IQ_ERR_NOMEM;
	bucket->items[bucket->count++] = index;
	return 0;
}

/* There is a way at this cost to the cell. */
static int reach(struct field *field, size_t position, uint32_t state, uint32_t cost)
{
	uint32_t *slot;

	if (state == DEAD || cost > field->best)
		return 0;
	if (field->count * 2 >= field->slot_count && grow_slots(field) < 0)
		return IQ_ERR_NOMEM;
	slot = find_slot(field, (uint32_t)position, state);
	if (*slot && field->cells[*slot - 1].cost <= cost)
		return 0;
	if (!*slot) {
		if (field->count >= IQ_ALIGN_MAX_CELLS)
			return IQ_ERR_LIMIT;
		if (IQ_ARRAY_GROW(field->cells, field->capacity, field->count + 1) < 0)
			return IQ_ERR_NOMEM;
		field->cells[field->count] = (struct cell){ .position = (uint32_t)position, .state = state };
		*slot = (uint32_t)++field->count;
	}
	field->cells[*slot - 1].cost = cost;
	return queue_cell(field, *slot - 1, cost);
}

/* ---- Ways out of a cell ---- */

static bool is_dark(const struct field *field, size_t position)
{
	return field->problem->dark && field->problem->dark[position];
}

static uint32_t drop_cost(const struct field *field, uint32_t symbol)
{
	uint32_t place = symbol < field->states->symbol_count ? symbol : field->states->symbol_count;

	return field->problem->drop_costs ? field->problem->drop_costs[place] : 1;
}

/* In the dark what is missing costs nothing. */
static uint32_t insert_cost(const struct field *field, size_t position, uint32_t symbol)
{
	if (is_dark(field, position))
		return 0;
	return field->problem->insert_costs ? field->problem->insert_costs[symbol] : 1;
}

static bool is_goal(const struct field *field, size_t position, uint32_t state)
{
	return position == field->problem->count &&
	       (field->problem->may_continue || iq_node_accepts(field->states->automaton, field->states->nodes[state]));
}

static int expand(struct field *field, size_t position, uint32_t state, uint32_t cost)
{
	uint32_t next;
	int rc = 0;

	if (is_goal(field, position, state) && cost < field->best)
		field->best = cost;
	if (position < field->problem->count) {
		uint32_t symbol = field->problem->symbols[position];

		rc = successor(field->states, state, symbol, &next);
		if (rc == 0)
			rc = reach(field, position + 1, next, cost);
		if (rc == 0)
			rc = reach(field, position + 1, state, cost + drop_cost(field, symbol));
	}
	for (uint32_t symbol = 0; symbol < field->states->symbol_count && rc == 0; symbol++) {
		uint32_t price = insert_cost(field, position, symbol);

		if (cost + price > field->best)
			continue;
		rc = successor(field->states, state, symbol, &next);
		if (rc == 0)
			rc = reach(field, position, next, cost + price);
	}
	return rc;
}

static int reach_starts(struct field *field)
{
	size_t count;
	const iq_node *members = iq_states_members(field->states->automaton, field->problem->start, &count);
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++) {
		uint32_t state;

		rc = number_of(field->states, members[i], &state);
		if (rc >= 0)
			rc = reach(field, 0, state, 0);
	}
	return rc;
}

static int explore(struct field *field)
{
	int rc = reach_starts(field);

	for (uint32_t cost = 0; rc == 0 && cost < field->bucket_count && cost <= field->best; cost++) {
		for (size_t i = 0; i < field->buckets[cost].count && rc == 0; i++) {
			const struct cell cell = field->cells[field->buckets[cost].items[i]];

			if (cell.cost == cost)
				rc = expand(field, cell.position, cell.state, cost);
		}
	}
	return rc == 0 && field->best == NO_COST ? IQ_ERR_LIMIT : rc;
}

/* ---- What lies on a cheapest way ---- */

/* Is the step from one cell to the other on a cheapest way? *ret_next is the other, or NULL. */
static const struct cell *useful_cell(const struct field *field, const struct cell *from, size_t position,
				      uint32_t state, uint32_t price)
{
	const struct cell *to = state == DEAD ? NULL : find_cell(field, position, state);

	return to && to->useful && to->cost == from->cost + price ? to : NULL;
}

/* Does a cheapest way leave the position from here without an insertion? */
static bool is_exit(const struct field *field, const struct cell *cell)
{
	uint32_t symbol, next;

	if (cell->position == field->problem->count)
		return is_goal(field, cell->position, cell->state) && cell->cost == field->best;
	symbol = field->problem->symbols[cell->position];
	if (successor(field->states, cell->state, symbol, &next) == 0 &&
	    useful_cell(field, cell, (size_t)cell->position + 1, next, 0))
		return true;
	return useful_cell(field, cell, (size_t)cell->position + 1, cell->state, drop_cost(field, symbol));
}

static bool leads_on(const struct field *field, const struct cell *cell)
{
	if (is_exit(field, cell))
		return true;
	for (uint32_t symbol = 0; symbol < field->states->symbol_count; symbol++) {
		uint32_t next;

		if (successor(field->states, cell->state, symbol, &next) == 0 &&
		    useful_cell(field, cell, cell->position, next, insert_cost(field, cell->position, symbol)))
			return true;
	}
	return false;
}

static int compare_cells(const void *a, const void *b)
{
	const struct cell *x = *(struct cell *const *)a, *y = *(struct cell *const *)b;

	if (x->cost != y->cost)
		return x->cost < y->cost ? 1 : -1;
	return (x->position < y->position) - (x->position > y->position);
}

/* The dearest and last come first: every step leads to a cell that was marked before, but for the free insertions of the
 * dark, which turn in circles: those positions are marked until nothing changes. */
static void mark_from(const struct field *field, struct cell **cells, size_t count)
{
	bool changed = true;

	while (changed) {
		changed = false;
		for (size_t i = 0; i < count; i++) {
			if (cells[i]->useful || !leads_on(field, cells[i]))
				continue;
			cells[i]->useful = true;
			changed = is_dark(field, cells[i]->position);
		}
	}
}

static int mark_useful(struct field *field)
{
	struct cell **cells = malloc((field->count + 1) * sizeof(struct cell *));
	size_t from = 0;

	if (!cells)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < field->count; i++)
		cells[i] = &field->cells[i];
	qsort(cells, field->count, sizeof(struct cell *), compare_cells);
	while (from < field->count) {
		size_t to = from + 1;

		while (to < field->count && compare_cells(&cells[from], &cells[to]) == 0)
			to++;
		mark_from(field, cells + from, to - from);
		from = to;
	}
	free(cells);
	return 0;
}

/* ---- Choosing among the cheapest ---- */

/* Where the search stands: at a cell, and which way out of it is tried next: 0 keep, 1.. insert, last drop. */
struct place {
	const struct cell *cell;
	uint32_t way;
	bool edited; /* the way taken was an edit */
};

struct search {
	struct field *field;
	struct place *places;
	size_t depth, capacity;
	struct iq_edit *edits;
	size_t edit_count, edit_capacity;
	size_t pairs;
	uint32_t *balance; /* by symbol: insertions in the low half, drops in the high half */
	struct iq_edit *best;
	size_t best_count, best_pairs;
	bool found;
	size_t steps;
	const struct cell **queue; /* for nearest_exit(): room for every cell */
};

static size_t pairs_of(uint32_t balance)
{
	uint32_t inserted = balance & 0xffff, dropped = balance >> 16;

	return inserted < dropped ? inserted : dropped;
}

static uint32_t balance_slot(const struct search *search, uint32_t symbol)
{
	return symbol < search->field->states->symbol_count ? symbol : search->field->states->symbol_count;
}

static void count_edit(struct search *search, const struct iq_edit *edit, int by)
{
	uint32_t *balance = &search->balance[balance_slot(search, edit->symbol)];
	uint32_t unit = edit->op == IQ_EDIT_INSERT ? 1u : 1u << 16;

	search->pairs -= pairs_of(*balance);
	*balance = by > 0 ? *balance + unit : *balance - unit;
	search->pairs += pairs_of(*balance);
}

static int push_edit(struct search *search, enum iq_edit_op op, uint32_t symbol, size_t position)
{
	struct iq_edit edit = { op, symbol, position, NO_PARTNER };
	int rc = IQ_ARRAY_GROW(search->edits, search->edit_capacity, search->edit_count + 1);

	if (rc < 0)
		return rc;
	search->edits[search->edit_count++] = edit;
	count_edit(search, &edit, 1);
	return 0;
}

static int push_place(struct search *search, const struct cell *cell, bool edited)
{
	int rc = IQ_ARRAY_GROW(search->places, search->capacity, search->depth + 1);

	if (rc == 0)
		search->places[search->depth++] = (struct place){ cell, 0, edited };
	return rc;
}

static void pop_place(struct search *search)
{
	if (search->places[--search->depth].edited)
		count_edit(search, &search->edits[--search->edit_count], -1);
}

static int keep_if_best(struct search *search)
{
	struct iq_edit *copy;

	if (search->found && search->pairs <= search->best_pairs)
		return 0;
	copy = malloc((search->edit_count + 1) * sizeof(*copy));
	if (!copy)
		return IQ_ERR_NOMEM;
	if (search->edit_count > 0)
		memcpy(copy, search->edits, search->edit_count * sizeof(*copy));
	free(search->best);
	search->best = copy;
	search->best_count = search->edit_count;
	search->best_pairs = search->pairs;
	search->found = true;
	return 0;
}

/* In the dark insertions are free, so that following them one by one would turn in circles: the nearest cell, by
 * breadth-first search, that leads on at the same cost; NULL where `from` leads on itself or nothing does. */
static const struct cell *nearest_exit(struct search *search, const struct cell *from)
{
	struct field *field = search->field;
	const struct cell *found = NULL;
	size_t head = 0, tail = 0;

	if (is_exit(field, from))
		return NULL;
	search->queue[tail++] = from;
	while (head < tail && !found) {
		const struct cell *cell = search->queue[head++];

		if (is_exit(field, cell))
			found = cell;
		for (uint32_t symbol = 0; symbol < field->states->symbol_count && !found; symbol++) {
			const struct cell *next;
			uint32_t state;

			if (successor(field->states, cell->state, symbol, &state) < 0)
				continue;
			next = useful_cell(field, cell, cell->position, state, 0);
			if (next && next != from && !next->seen) {
				((struct cell *)next)->seen = true;
				search->queue[tail++] = next;
			}
		}
	}
	for (size_t i = 0; i < tail; i++)
		((struct cell *)search->queue[i])->seen = false;
	return found;
}

static int try_insertion(struct search *search, const struct cell *cell, uint32_t symbol)
{
	struct field *field = search->field;
	const struct cell *to;
	uint32_t next;
	int rc;

	if (is_dark(field, cell->position)) {
		to = symbol == 0 ? nearest_exit(search, cell) : NULL;
		return to ? push_place(search, to, false) : 0;
	}
	rc = successor(field->states, cell->state, symbol, &next);
	to = rc == 0 ? useful_cell(field, cell, cell->position, next, insert_cost(field, cell->position, symbol))
		     : NULL;
	if (!to)
		return rc;
	rc = push_edit(search, IQ_EDIT_INSERT, symbol, cell->position);
	return rc < 0 ? rc : push_place(search, to, true);
}

static int try_keeping(struct search *search, const struct cell *cell)
{
	struct field *field = search->field;
	const struct cell *to;
	uint32_t next;
	int rc;

	if (cell->position == field->problem->count)
		return is_exit(field, cell) ? keep_if_best(search) : 0;
	rc = successor(field->states, cell->state, field->problem->symbols[cell->position], &next);
	to = rc == 0 ? useful_cell(field, cell, (size_t)cell->position + 1, next, 0) : NULL;
	return to ? push_place(search, to, false) : rc;
}

static int try_dropping(struct search *search, const struct cell *cell)
{
	struct field *field = search->field;
	const struct cell *to;
	uint32_t seen;
	int rc;

	if (cell->position == field->problem->count)
		return 0;
	seen = field->problem->symbols[cell->position];
	to = useful_cell(field, cell, (size_t)cell->position + 1, cell->state, drop_cost(field, seen));
	if (!to)
		return 0;
	rc = push_edit(search, IQ_EDIT_DROP, seen, cell->position);
	return rc < 0 ? rc : push_place(search, to, true);
}

/* Takes the next way out of the top place that stays on a cheapest one; pops it where there is none left. */
static int advance(struct search *search)
{
	struct place *top = &search->places[search->depth - 1];
	const struct cell *cell = top->cell;
	uint32_t way = top->way++, symbols = search->field->states->symbol_count;

	if (way == 0)
		return try_keeping(search, cell);
	if (way <= symbols)
		return try_insertion(search, cell, way - 1);
	if (way == symbols + 1)
		return try_dropping(search, cell);
	pop_place(search);
	return 0;
}

/* No more pairs than half of the edits. */
static bool is_best_possible(const struct search *search)
{
	return search->found && search->best_pairs * 2 + 1 >= search->best_count;
}

static int search_from(struct search *search, const struct cell *start)
{
	int rc = push_place(search, start, false);

	while (rc == 0 && search->depth > 0 && !is_best_possible(search) &&
	       (search->steps < IQ_ALIGN_MAX_STEPS || !search->found)) {
		search->steps++;
		rc = advance(search);
	}
	while (search->depth > 0)
		pop_place(search);
	return rc;
}

static int search_all(struct search *search)
{
	struct field *field = search->field;
	size_t count;
	const iq_node *members = iq_states_members(field->states->automaton, field->problem->start, &count);
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++) {
		const struct cell *start;
		uint32_t state;

		rc = number_of(field->states, members[i], &state);
		start = rc == 0 && state != DEAD ? find_cell(field, 0, state) : NULL;
		if (start && start->useful && start->cost == 0)
			rc = search_from(search, start);
	}
	return rc;
}

/* Each insertion takes the nearest drop of its symbol that has no partner yet. */
static void pair_edits(struct iq_edit *edits, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t nearest = NO_PARTNER, distance = SIZE_MAX;

		for (size_t j = 0; j < count && edits[i].op == IQ_EDIT_INSERT; j++) {
			size_t apart = edits[j].position > edits[i].position ? edits[j].position - edits[i].position
									     : edits[i].position - edits[j].position;

			if (edits[j].op == IQ_EDIT_DROP && edits[j].symbol == edits[i].symbol &&
			    edits[j].partner == NO_PARTNER && apart < distance) {
				nearest = j;
				distance = apart;
			}
		}
		if (nearest != NO_PARTNER) {
			edits[i].partner = nearest;
			edits[nearest].partner = i;
		}
	}
}

static int solve(struct field *field, struct iq_edit **ret_edits, size_t *ret_count)
{
	struct search search = { .field = field };
	int rc;

	search.balance = calloc((size_t)field->states->symbol_count + 1, sizeof(*search.balance));
	search.queue = malloc((field->count + 1) * sizeof(struct cell *));
	rc = search.balance && search.queue ? search_all(&search) : IQ_ERR_NOMEM;
	if (rc == 0 && !search.found)
		rc = IQ_ERR_LIMIT;
	if (rc == 0) {
		pair_edits(search.best, search.best_count);
		*ret_edits = search.best;
		*ret_count = search.best_count;
	} else {
		free(search.best);
	}
	free(search.balance);
	free(search.queue);
	free(search.places);
	free(search.edits);
	return rc;
}

int iq_align(const struct iq_alignment_problem *problem, struct iq_edit **ret_edits, size_t *ret_count)
{
	struct iq_aligner *own = problem->aligner ? NULL : iq_aligner_new(problem->automaton);
	struct field field = { .problem = problem, .states = own ? own : problem->aligner, .best = NO_COST };
	int rc = field.states ? 0 : IQ_ERR_NOMEM;

	/* Each position takes a cell at least. */
	if (rc == 0 && problem->count >= IQ_ALIGN_MAX_CELLS)
		rc = IQ_ERR_LIMIT;
	if (rc == 0)
		rc = explore(&field);
	if (rc == 0)
		rc = mark_useful(&field);
	if (rc == 0)
		rc = solve(&field, ret_edits, ret_count);
	release_field(&field);
	iq_aligner_free(own);
	return rc;
}
