#include "query/align.h"

#include <stdlib.h>
#include <string.h>

#define INFINITE UINT16_MAX
#define NO_PARTNER SIZE_MAX

/* The states that can be reached at all, numbered, with their successors and the cost of finishing from each position.
 */
struct table {
	const struct iq_alignment_problem *problem;
	struct iq_map numbers; /* node -> number */
	iq_node *nodes;
	size_t node_capacity;
	size_t state_count;
	uint32_t *next; /* [state][symbol]: number, or UINT32_MAX for the dead state */
	uint32_t symbol_count;
	uint16_t *cost; /* [position][state] */
};

#define DEAD UINT32_MAX

static void release_table(struct table *table)
{
	iq_map_release(&table->numbers);
	free(table->nodes);
	free(table->next);
	free(table->cost);
}

static int number_of(struct table *table, iq_node node, uint32_t *ret_number)
{
	int rc;

	if (node == IQ_NODE_DEAD) {
		*ret_number = DEAD;
		return 0;
	}
	rc = iq_map_intern(&table->numbers, iq_view_make((const char *)&node, sizeof(node)), ret_number);
	if (rc < 0 || rc == 0)
		return rc;
	if ((table->numbers.count + 1) * (table->problem->count + 1) > IQ_ALIGN_MAX_CELLS)
		return IQ_ERR_LIMIT;
	if (IQ_ARRAY_GROW(table->nodes, table->node_capacity, table->numbers.count) < 0)
		return IQ_ERR_NOMEM;
	table->nodes[*ret_number] = node;
	return 0;
}

static int number_states(struct table *table)
{
	size_t count;
	const iq_node *members = iq_states_members(table->problem->automaton, table->problem->start, &count);
	uint32_t number;
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++)
		rc = number_of(table, members[i], &number);
	for (size_t state = 0; state < table->numbers.count && rc == 0; state++) {
		for (uint32_t symbol = 0; symbol < table->symbol_count && rc == 0; symbol++) {
			iq_node node;

			rc = iq_node_step(table->problem->automaton, table->nodes[state], symbol, &node);
			if (rc == 0)
				rc = number_of(table, node, &number);
		}
	}
	table->state_count = table->numbers.count;
	return rc;
}

static int link_states(struct table *table)
{
	table->next = malloc((table->state_count * table->symbol_count + 1) * sizeof(*table->next));
	if (!table->next)
		return IQ_ERR_NOMEM;
	for (size_t state = 0; state < table->state_count; state++) {
		for (uint32_t symbol = 0; symbol < table->symbol_count; symbol++) {
			iq_node node = IQ_NODE_DEAD;
			int rc = iq_node_step(table->problem->automaton, table->nodes[state], symbol, &node);

			if (rc == 0)
				rc = number_of(table, node, &table->next[state * table->symbol_count + symbol]);
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

static uint32_t successor(const struct table *table, size_t state, uint32_t symbol)
{
	return symbol < table->symbol_count ? table->next[state * table->symbol_count + symbol] : DEAD;
}

static bool is_dark(const struct table *table, size_t position)
{
	return table->problem->dark && table->problem->dark[position];
}

static uint16_t plus(uint16_t cost, uint16_t extra)
{
	return cost >= INFINITE - extra ? INFINITE : (uint16_t)(cost + extra);
}

/* Insertions stay at one position: follow them until nothing gets cheaper. In the dark they cost nothing. */
static void relax_insertions(const struct table *table, uint16_t *row, uint16_t price)
{
	bool cheaper = true;

	while (cheaper) {
		cheaper = false;
		for (size_t state = 0; state < table->state_count; state++) {
			for (uint32_t symbol = 0; symbol < table->symbol_count; symbol++) {
				uint32_t next = successor(table, state, symbol);

				if (next != DEAD && plus(row[next], price) < row[state]) {
					row[state] = plus(row[next], price);
					cheaper = true;
				}
			}
		}
	}
}

static uint16_t final_cost(const struct table *table, size_t state)
{
	return table->problem->may_continue || iq_node_accepts(table->problem->automaton, table->nodes[state])
		       ? 0
		       : INFINITE;
}

static int fill_costs(struct table *table)
{
	size_t states = table->state_count, count = table->problem->count;

	table->cost = malloc((count + 1) * states * sizeof(*table->cost) + 1);
	if (!table->cost)
		return IQ_ERR_NOMEM;
	for (size_t position = count + 1; position-- > 0;) {
		uint16_t *row = table->cost + position * states;

		for (size_t state = 0; state < states; state++) {
			uint32_t next;

			if (position == count) {
				row[state] = final_cost(table, state);
				continue;
			}
			next = successor(table, state, table->problem->symbols[position]);
			row[state] = plus(row[states + state], 1);
			if (next != DEAD && row[states + next] < row[state])
				row[state] = row[states + next];
		}
		relax_insertions(table, row, is_dark(table, position) ? 0 : 1);
	}
	return 0;
}

/* ---- Choosing among the cheapest ---- */

/* Where the search stands: a state before a position, and which way out of it is tried next: 0 keep, 1.. insert, last
 * drop. */
struct place {
	size_t position;
	uint32_t state;
	uint32_t way;
	bool edited; /* the way taken was an edit */
};

struct search {
	const struct table *table;
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
	uint32_t *queue; /* for nearest_exit(): room for every state */
	uint8_t *visited;
};

static size_t pairs_of(uint32_t balance)
{
	uint32_t inserted = balance & 0xffff, dropped = balance >> 16;

	return inserted < dropped ? inserted : dropped;
}

static uint32_t balance_slot(const struct search *search, uint32_t symbol)
{
	return symbol < search->table->symbol_count ? symbol : search->table->symbol_count;
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

static int push_place(struct search *search, size_t position, uint32_t state, bool edited)
{
	int rc = IQ_ARRAY_GROW(search->places, search->capacity, search->depth + 1);

	if (rc == 0)
		search->places[search->depth++] = (struct place){ position, state, 0, edited };
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

/* Does a cheapest alignment leave the position from here without an insertion? */
static bool is_exit(const struct table *table, size_t position, uint32_t state)
{
	const uint16_t *row = table->cost + position * table->state_count, *later = row + table->state_count;
	uint32_t next;

	if (position == table->problem->count)
		return final_cost(table, state) == row[state];
	next = successor(table, state, table->problem->symbols[position]);
	return (next != DEAD && later[next] == row[state]) || plus(later[state], 1) == row[state];
}

/* In the dark insertions are free, so that following them one by one would turn in circles: the nearest state, by
 * breadth-first search, that leads on at the same cost; DEAD where `from` leads on itself or nothing does. */
static uint32_t nearest_exit(struct search *search, size_t position, uint32_t from)
{
	const struct table *table = search->table;
	const uint16_t *row = table->cost + position * table->state_count;
	uint32_t *queue = search->queue;
	size_t head = 0, tail = 0;

	if (is_exit(table, position, from))
		return DEAD;
	memset(search->visited, 0, table->state_count);
	queue[tail++] = from;
	search->visited[from] = 1;
	while (head < tail) {
		uint32_t state = queue[head++];

		if (is_exit(table, position, state))
			return state;
		for (uint32_t symbol = 0; symbol < table->symbol_count; symbol++) {
			uint32_t next = successor(table, state, symbol);

			if (next != DEAD && !search->visited[next] && row[next] == row[from]) {
				search->visited[next] = 1;
				queue[tail++] = next;
			}
		}
	}
	return DEAD;
}

/* Takes the next way out of the top place that stays on a cheapest alignment; pops it where there is none left. */
static int advance(struct search *search)
{
	const struct table *table = search->table;
	struct place *top = &search->places[search->depth - 1];
	size_t position = top->position, states = table->state_count, count = table->problem->count;
	const uint16_t *row = table->cost + position * states;
	uint16_t here = row[top->state];
	uint32_t seen = position < count ? table->problem->symbols[position] : DEAD;
	uint32_t way = top->way++;
	uint32_t next;
	int rc;

	if (way == 0) {
		if (position == count)
			return final_cost(table, top->state) == 0 && here == 0 ? keep_if_best(search) : 0;
		next = successor(table, top->state, seen);
		return next != DEAD && row[states + next] == here ? push_place(search, position + 1, next, false) : 0;
	}
	if (way <= table->symbol_count) {
		next = successor(table, top->state, way - 1);
		if (is_dark(table, position)) {
			next = way == 1 ? nearest_exit(search, position, top->state) : DEAD;
			return next != DEAD ? push_place(search, position, next, false) : 0;
		}
		if (next == DEAD || plus(row[next], 1) != here)
			return 0;
		rc = push_edit(search, IQ_EDIT_INSERT, way - 1, position);
		return rc < 0 ? rc : push_place(search, position, next, true);
	}
	if (way == table->symbol_count + 1 && position < count && plus(row[states + top->state], 1) == here) {
		uint32_t state = top->state;

		rc = push_edit(search, IQ_EDIT_DROP, seen, position);
		return rc < 0 ? rc : push_place(search, position + 1, state, true);
	}
	if (way > table->symbol_count)
		pop_place(search);
	return 0;
}

static int search_from(struct search *search, uint32_t state)
{
	int rc = push_place(search, 0, state, false);

	while (rc == 0 && search->depth > 0 && (search->steps < IQ_ALIGN_MAX_STEPS || !search->found)) {
		search->steps++;
		if (search->steps > 64 * (size_t)IQ_ALIGN_MAX_STEPS + 1024 * search->table->problem->count)
			return IQ_ERR_LIMIT;
		rc = advance(search);
	}
	while (search->depth > 0)
		pop_place(search);
	return rc;
}

static int search_all(struct search *search)
{
	const struct table *table = search->table;
	size_t count;
	const iq_node *members = iq_states_members(table->problem->automaton, table->problem->start, &count);
	uint16_t best = INFINITE;
	int rc = 0;

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < count && rc == 0; i++) {
			const uint64_t *number = iq_map_get(
				&table->numbers, iq_view_make((const char *)&members[i], sizeof(members[i])));

			if (!number)
				continue;
			if (pass == 0 && table->cost[*number] < best)
				best = table->cost[*number];
			else if (pass == 1 && table->cost[*number] == best && best != INFINITE)
				rc = search_from(search, (uint32_t)*number);
		}
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

static int solve(struct table *table, struct iq_edit **ret_edits, size_t *ret_count)
{
	struct search search = { .table = table };
	int rc;

	search.balance = calloc((size_t)table->symbol_count + 1, sizeof(*search.balance));
	search.queue = malloc((table->state_count + 1) * sizeof(*search.queue));
	search.visited = malloc(table->state_count + 1);
	rc = search.balance && search.queue && search.visited ? search_all(&search) : IQ_ERR_NOMEM;
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
	free(search.visited);
	free(search.places);
	free(search.edits);
	return rc;
}

int iq_align(const struct iq_alignment_problem *problem, struct iq_edit **ret_edits, size_t *ret_count)
{
	struct table table = { .problem = problem, .symbol_count = iq_automaton_symbols(problem->automaton) };
	int rc;

	/* Costs are kept in 16 bits. */
	if (problem->count >= INFINITE - 1u)
		return IQ_ERR_LIMIT;
	rc = number_states(&table);
	if (rc == 0)
		rc = link_states(&table);
	if (rc == 0)
		rc = fill_costs(&table);
	if (rc == 0)
		rc = solve(&table, ret_edits, ret_count);
	release_table(&table);
	return rc;
}
