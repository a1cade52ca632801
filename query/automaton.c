#include "query/automaton.h"

#include <stdlib.h>
#include <string.h>

enum op { OP_DEAD, OP_EMPTY, OP_SYMBOL, OP_SEQUENCE, OP_CHOICE, OP_INTERLEAVE, OP_REPEAT, OP_OVERLAP };

/* Operands: SYMBOL a = symbol; SEQUENCE, CHOICE, INTERLEAVE a and b; REPEAT and OVERLAP a, least and
 * most. Choices and
 * interleavings are chains to the right with ascending left operands, so that order and brackets make no difference. */
struct node {
	uint8_t op;
	bool accepts;
	iq_node a;
	iq_node b;
	uint32_t least;
	uint32_t most;
};

struct set {
	const iq_node *members; /* ascending */
	size_t count;
	iq_states blurred;
	struct iq_states_facts facts;
};

#define UNKNOWN IQ_STATES_UNKNOWN
/* Of what a set may become in the dark: more members than one may have. */
#define TOO_MANY (UINT32_MAX - 1)

struct iq_automaton {
	struct iq_steps steps;
	size_t step_capacity;
	size_t mark_capacity;
	struct iq_map nodes_by_shape;
	struct node *nodes;
	size_t node_capacity;
	struct iq_map derivatives; /* (node, symbol) -> node */
	iq_node start;
	uint32_t symbol_count;
	bool once;				 /* nothing follows a whole sequence */
	bool ends[IQ_AUTOMATON_MAX_SYMBOLS + 1]; /* by letter, IQ_LETTER_FINAL() included */
	struct iq_map sets_by_members;
	struct set *sets;
	size_t set_capacity;
	struct iq_arena memory;
};

static int add_node(struct iq_automaton *automaton, const struct node *node, iq_node *ret_node)
{
	const uint32_t shape[5] = { node->op, node->a, node->b, node->least, node->most };
	uint32_t index;
	int rc = iq_map_intern(&automaton->nodes_by_shape, iq_view_make((const char *)shape, sizeof(shape)), &index);

	if (rc < 0)
		return rc;
	if (rc == 1) {
		if (index >= IQ_AUTOMATON_MAX_NODES)
			return IQ_ERR_LIMIT;
		if (IQ_ARRAY_GROW(automaton->nodes, automaton->node_capacity, (size_t)index + 1) < 0)
			return IQ_ERR_NOMEM;
		automaton->nodes[index] = *node;
	}
	*ret_node = index;
	return 0;
}

struct iq_automaton *iq_automaton_new(void)
{
	struct iq_automaton *automaton = calloc(1, sizeof(*automaton));
	const struct node dead = { .op = OP_DEAD }, empty = { .op = OP_EMPTY, .accepts = true };
	iq_node node;

	if (!automaton)
		return NULL;
	if (add_node(automaton, &dead, &node) < 0 || add_node(automaton, &empty, &node) < 0) {
		iq_automaton_free(automaton);
		return NULL;
	}
	return automaton;
}

void iq_automaton_free(struct iq_automaton *automaton)
{
	if (!automaton)
		return;
	iq_map_release(&automaton->nodes_by_shape);
	iq_map_release(&automaton->derivatives);
	iq_map_release(&automaton->sets_by_members);
	iq_arena_release(&automaton->memory);
	free(automaton->nodes);
	free(automaton->sets);
	free(automaton->steps.to);
	free(automaton->steps.marks);
	free(automaton);
}

/* ---- Expressions ---- */

int iq_node_symbol(struct iq_automaton *automaton, uint32_t symbol, iq_node *ret_node)
{
	const struct node node = { .op = OP_SYMBOL, .a = symbol };

	return add_node(automaton, &node, ret_node);
}

int iq_node_sequence(struct iq_automaton *automaton, iq_node first, iq_node second, iq_node *ret_node)
{
	struct node node = { .op = OP_SEQUENCE, .a = first, .b = second };
	iq_node rest;
	int rc;

	if (first == IQ_NODE_DEAD || second == IQ_NODE_DEAD) {
		*ret_node = IQ_NODE_DEAD;
		return 0;
	}
	if (first == IQ_NODE_EMPTY || second == IQ_NODE_EMPTY) {
		*ret_node = first == IQ_NODE_EMPTY ? second : first;
		return 0;
	}
	if (automaton->nodes[first].op == OP_SEQUENCE) {
		rc = iq_node_sequence(automaton, automaton->nodes[first].b, second, &rest);
		return rc < 0 ? rc : iq_node_sequence(automaton, automaton->nodes[first].a, rest, ret_node);
	}
	node.accepts = automaton->nodes[first].accepts && automaton->nodes[second].accepts;
	return add_node(automaton, &node, ret_node);
}

/* Inserts `item` into an ascending chain of `op`. */
static int insert_into_chain(struct iq_automaton *automaton, enum op op, iq_node item, iq_node chain, iq_node *ret_node)
{
	struct node head = automaton->nodes[chain];
	bool is_chain = head.op == op;
	iq_node first = is_chain ? head.a : chain;
	struct node node = { .op = (uint8_t)op };
	iq_node rest = chain;
	int rc;

	if (op == OP_CHOICE && item == first) {
		*ret_node = chain;
		return 0;
	}
	if (item <= first || !is_chain) {
		node.a = item <= first ? item : first;
		node.b = item <= first ? chain : item;
	} else {
		rc = insert_into_chain(automaton, op, item, head.b, &rest);
		if (rc < 0)
			return rc;
		node.a = first;
		node.b = rest;
	}
	node.accepts = op == OP_CHOICE ? automaton->nodes[node.a].accepts || automaton->nodes[node.b].accepts
				       : automaton->nodes[node.a].accepts && automaton->nodes[node.b].accepts;
	return add_node(automaton, &node, ret_node);
}

static int join_chains(struct iq_automaton *automaton, enum op op, iq_node a, iq_node b, iq_node *ret_node)
{
	iq_node joined = b;
	int rc = 0;

	while (rc == 0 && automaton->nodes[a].op == op) {
		rc = insert_into_chain(automaton, op, automaton->nodes[a].a, joined, &joined);
		a = automaton->nodes[a].b;
	}
	return rc < 0 ? rc : insert_into_chain(automaton, op, a, joined, ret_node);
}

int iq_node_choice(struct iq_automaton *automaton, iq_node a, iq_node b, iq_node *ret_node)
{
	if (a == IQ_NODE_DEAD || b == IQ_NODE_DEAD || a == b) {
		*ret_node = a == IQ_NODE_DEAD ? b : a;
		return 0;
	}
	/* `()` adds nothing to what already takes the empty sequence. */
	if ((a == IQ_NODE_EMPTY && automaton->nodes[b].accepts) ||
	    (b == IQ_NODE_EMPTY && automaton->nodes[a].accepts)) {
		*ret_node = a == IQ_NODE_EMPTY ? b : a;
		return 0;
	}
	return join_chains(automaton, OP_CHOICE, a, b, ret_node);
}

int iq_node_interleave(struct iq_automaton *automaton, iq_node a, iq_node b, iq_node *ret_node)
{
	if (a == IQ_NODE_DEAD || b == IQ_NODE_DEAD) {
		*ret_node = IQ_NODE_DEAD;
		return 0;
	}
	if (a == IQ_NODE_EMPTY || b == IQ_NODE_EMPTY) {
		*ret_node = a == IQ_NODE_EMPTY ? b : a;
		return 0;
	}
	return join_chains(automaton, OP_INTERLEAVE, a, b, ret_node);
}

static int count_node(struct iq_automaton *automaton, enum op op, iq_node node, uint32_t least, uint32_t most,
		      iq_node *ret_node)
{
	struct node counted = { .op = (uint8_t)op, .a = node, .least = least, .most = most };
	const struct node *inner = &automaton->nodes[node];

	if (most == 0 || node == IQ_NODE_EMPTY || (node == IQ_NODE_DEAD && least == 0)) {
		*ret_node = IQ_NODE_EMPTY;
		return 0;
	}
	if (node == IQ_NODE_DEAD || (least == 1 && most == 1)) {
		*ret_node = node;
		return 0;
	}
	/* What takes the empty sequence may be taken any smaller number of times; (a*)* is a*. */
	if (inner->accepts)
		counted.least = 0;
	if (inner->op == op && inner->least == 0 && inner->most == IQ_REPEAT_UNBOUNDED) {
		*ret_node = node;
		return 0;
	}
	counted.accepts = counted.least == 0;
	return add_node(automaton, &counted, ret_node);
}

int iq_node_repeat(struct iq_automaton *automaton, iq_node node, uint32_t least, uint32_t most, iq_node *ret_node)
{
	return count_node(automaton, OP_REPEAT, node, least, most, ret_node);
}

int iq_node_overlap(struct iq_automaton *automaton, iq_node node, uint32_t least, uint32_t most, iq_node *ret_node)
{
	/* One letter each leaves nothing to overlap. */
	bool is_short = automaton->nodes[node].op <= OP_SYMBOL;

	return count_node(automaton, is_short ? OP_REPEAT : OP_OVERLAP, node, least, most, ret_node);
}

/* ---- Derivatives ---- */

static int derive(struct iq_automaton *automaton, iq_node node, uint32_t symbol, iq_node *ret_node);

static int derive_sequence(struct iq_automaton *automaton, struct node node, uint32_t symbol, iq_node *ret_node)
{
	iq_node left, right;
	int rc = derive(automaton, node.a, symbol, &left);

	if (rc == 0)
		rc = iq_node_sequence(automaton, left, node.b, ret_node);
	if (rc < 0 || !automaton->nodes[node.a].accepts)
		return rc;
	left = *ret_node;
	rc = derive(automaton, node.b, symbol, &right);
	return rc < 0 ? rc : iq_node_choice(automaton, left, right, ret_node);
}

static int derive_choice(struct iq_automaton *automaton, struct node node, uint32_t symbol, iq_node *ret_node)
{
	iq_node left, right;
	int rc = derive(automaton, node.a, symbol, &left);

	if (rc == 0)
		rc = derive(automaton, node.b, symbol, &right);
	return rc < 0 ? rc : iq_node_choice(automaton, left, right, ret_node);
}

static int derive_interleave(struct iq_automaton *automaton, struct node node, uint32_t symbol, iq_node *ret_node)
{
	iq_node left, right;
	int rc = derive(automaton, node.a, symbol, &left);

	if (rc == 0)
		rc = iq_node_interleave(automaton, left, node.b, &left);
	if (rc == 0)
		rc = derive(automaton, node.b, symbol, &right);
	if (rc == 0)
		rc = iq_node_interleave(automaton, node.a, right, &right);
	return rc < 0 ? rc : iq_node_choice(automaton, left, right, ret_node);
}

/* The letter is the first of one of those that are left, and all are alike: what remains of that one is followed by the
 * others, or overlaps them. */
static int derive_count(struct iq_automaton *automaton, struct node node, uint32_t symbol, iq_node *ret_node)
{
	uint32_t least = node.least ? node.least - 1 : 0;
	uint32_t most = node.most == IQ_REPEAT_UNBOUNDED ? node.most : node.most - 1;
	iq_node first, others;
	int rc = derive(automaton, node.a, symbol, &first);

	if (rc == 0)
		rc = count_node(automaton, (enum op)node.op, node.a, least, most, &others);
	if (rc < 0)
		return rc;
	return node.op == OP_REPEAT ? iq_node_sequence(automaton, first, others, ret_node)
				    : iq_node_interleave(automaton, first, others, ret_node);
}

/* Depth is that of the expression's brackets, which the parser limits, plus the length of its chains. */
static int derive(struct iq_automaton *automaton, iq_node node, uint32_t symbol, iq_node *ret_node)
{
	const uint32_t name[2] = { node, symbol };
	struct iq_view key = iq_view_make((const char *)name, sizeof(name));
	struct node copy = automaton->nodes[node];
	uint64_t *known;
	int rc = 0;

	if (copy.op <= OP_SYMBOL) {
		*ret_node = copy.op == OP_SYMBOL && copy.a == symbol ? IQ_NODE_EMPTY : IQ_NODE_DEAD;
		return 0;
	}
	known = iq_map_get(&automaton->derivatives, key);
	if (known) {
		*ret_node = (iq_node)*known;
		return 0;
	}
	if (copy.op == OP_SEQUENCE)
		rc = derive_sequence(automaton, copy, symbol, ret_node);
	else if (copy.op == OP_CHOICE)
		rc = derive_choice(automaton, copy, symbol, ret_node);
	else if (copy.op == OP_INTERLEAVE)
		rc = derive_interleave(automaton, copy, symbol, ret_node);
	else
		rc = derive_count(automaton, copy, symbol, ret_node);
	return rc < 0 ? rc : iq_map_set(&automaton->derivatives, key, *ret_node);
}

void iq_automaton_begin(struct iq_automaton *automaton, iq_node start, uint32_t symbol_count)
{
	automaton->start = start;
	automaton->symbol_count = symbol_count;
	automaton->steps.letters = symbol_count + 2;
}

void iq_automaton_end_at(struct iq_automaton *automaton, uint32_t symbol)
{
	automaton->ends[symbol] = true;
}

void iq_automaton_once(struct iq_automaton *automaton)
{
	automaton->once = true;
}

iq_node iq_automaton_start(const struct iq_automaton *automaton)
{
	return automaton->start;
}

uint32_t iq_automaton_symbols(const struct iq_automaton *automaton)
{
	return automaton->symbol_count;
}

const struct iq_steps *iq_automaton_steps(const struct iq_automaton *automaton)
{
	return &automaton->steps;
}

static uint32_t product(uint32_t a, uint32_t b)
{
	uint64_t product = (uint64_t)a * b;

	return a == 0 || b == 0 ? 0 : product > IQ_REPEAT_UNBOUNDED ? IQ_REPEAT_UNBOUNDED : (uint32_t)product;
}

static uint32_t most_of(const struct iq_automaton *automaton, iq_node at, uint32_t symbol)
{
	const struct node *node = &automaton->nodes[at];
	uint32_t a, b;

	if (node->op <= OP_SYMBOL)
		return node->op == OP_SYMBOL && node->a == symbol;
	a = most_of(automaton, node->a, symbol);
	if (node->op >= OP_REPEAT)
		return product(a, node->most);
	b = most_of(automaton, node->b, symbol);
	if (node->op == OP_CHOICE)
		return a > b ? a : b;
	return a > IQ_REPEAT_UNBOUNDED - b ? IQ_REPEAT_UNBOUNDED : a + b;
}

uint32_t iq_automaton_most(const struct iq_automaton *automaton, uint32_t symbol)
{
	return most_of(automaton, automaton->start, symbol);
}

bool iq_node_accepts(const struct iq_automaton *automaton, iq_node state)
{
	return automaton->nodes[state].accepts;
}

int iq_node_step(struct iq_automaton *automaton, iq_node state, uint32_t symbol, iq_node *ret_state)
{
	return derive(automaton, state, symbol, ret_state);
}

/* ---- Sets ---- */

static int compare_nodes(const void *a, const void *b)
{
	iq_node x = *(const iq_node *)a, y = *(const iq_node *)b;

	return (x > y) - (x < y);
}

/* A row of the table of steps, with nothing in it yet. */
static int init_steps(struct iq_automaton *automaton, uint32_t index)
{
	struct iq_steps *steps = &automaton->steps;
	size_t first = (size_t)index * steps->letters;

	if (IQ_ARRAY_GROW(steps->to, automaton->step_capacity, first + steps->letters) < 0 ||
	    IQ_ARRAY_GROW(steps->marks, automaton->mark_capacity, (size_t)index + 1) < 0)
		return IQ_ERR_NOMEM;
	memset(steps->to + first, 0xff, steps->letters * sizeof(*steps->to));
	steps->marks[index] = 0;
	return 0;
}

static int init_set(struct iq_automaton *automaton, uint32_t index)
{
	struct set *set;

	if (index >= IQ_AUTOMATON_MAX_SETS)
		return IQ_ERR_LIMIT;
	if (IQ_ARRAY_GROW(automaton->sets, automaton->set_capacity, (size_t)index + 1) < 0)
		return IQ_ERR_NOMEM;
	set = &automaton->sets[index];
	*set = (struct set){ .blurred = UNKNOWN };
	set->members = (const iq_node *)(const void *)automaton->sets_by_members.entries[index].key.data;
	set->count = automaton->sets_by_members.entries[index].key.len / sizeof(iq_node);
	return init_steps(automaton, index);
}

/* Sorts `members` and removes what is there twice. */
static int intern_set(struct iq_automaton *automaton, iq_node *members, size_t count, iq_states *ret_states)
{
	size_t kept = 0;
	uint32_t index;
	int rc;

	qsort(members, count, sizeof(*members), compare_nodes);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || members[i] != members[kept - 1])
			members[kept++] = members[i];
	rc = iq_map_intern(&automaton->sets_by_members, iq_view_make((const char *)members, kept * sizeof(*members)),
			   &index);
	if (rc == 1)
		rc = init_set(automaton, index);
	if (rc < 0)
		return rc;
	*ret_states = index;
	return 0;
}

int iq_states_single(struct iq_automaton *automaton, iq_node state, iq_states *ret_states)
{
	return intern_set(automaton, &state, 1, ret_states);
}

/* What a letter makes of one member. */
static int follow(struct iq_automaton *automaton, iq_node at, uint32_t letter, iq_node *ret_node)
{
	int rc;

	if (letter >= automaton->symbol_count) {
		*ret_node = at != IQ_NODE_DEAD && letter == automaton->symbol_count ? IQ_NODE_EMPTY : IQ_NODE_DEAD;
		return 0;
	}
	rc = derive(automaton, at == IQ_NODE_EMPTY && !automaton->once ? automaton->start : at, letter, ret_node);
	if (rc == 0 && automaton->ends[letter] && automaton->nodes[*ret_node].accepts)
		*ret_node = IQ_NODE_EMPTY;
	return rc;
}

static int make_step(struct iq_automaton *automaton, iq_states states, uint32_t letter, iq_states *ret_states)
{
	struct set set = automaton->sets[states];
	iq_node *members;
	int rc = 0;

	members = malloc((set.count + 1) * sizeof(*members));
	if (!members)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < set.count && rc == 0; i++)
		rc = follow(automaton, set.members[i], letter, &members[i]);
	if (rc == 0)
		rc = intern_set(automaton, members, set.count, ret_states);
	if (rc == 0)
		automaton->steps.to[(size_t)states * automaton->steps.letters + letter] = *ret_states;
	free(members);
	return rc;
}

int iq_states_step(struct iq_automaton *automaton, iq_states states, uint32_t letter, iq_states *ret_states)
{
	iq_states next = iq_steps_next(&automaton->steps, states, letter);

	if (next == UNKNOWN)
		return make_step(automaton, states, letter, ret_states);
	*ret_states = next;
	return 0;
}

int iq_states_union(struct iq_automaton *automaton, iq_states a, iq_states b, iq_states *ret_states)
{
	const struct set some = automaton->sets[a], other = automaton->sets[b];
	iq_node *members = malloc((some.count + other.count + 1) * sizeof(*members));
	int rc;

	if (!members)
		return IQ_ERR_NOMEM;
	memcpy(members, some.members, some.count * sizeof(*members));
	memcpy(members + some.count, other.members, other.count * sizeof(*members));
	rc = intern_set(automaton, members, some.count + other.count, ret_states);
	free(members);
	return rc;
}

/* What an unknown event makes of one member. */
static int spread_member(struct iq_automaton *automaton, iq_node at, uint32_t letter, iq_node *ret_node)
{
	int rc = follow(automaton, at, letter, ret_node);

	if (rc == 0 && at == IQ_NODE_EMPTY && *ret_node == IQ_NODE_DEAD && !automaton->once)
		*ret_node = at;
	return rc;
}

/* Up to one more unknown event: the members, and every successor by every letter. */
static int spread(struct iq_automaton *automaton, iq_states states, iq_states *ret_states)
{
	struct set set = automaton->sets[states];
	uint32_t letters = automaton->symbol_count + automaton->ends[automaton->symbol_count];
	size_t count = 0;
	iq_node *members = malloc((set.count * ((size_t)letters + 1) + 1) * sizeof(*members));
	int rc = 0;

	if (!members)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < set.count && rc == 0; i++) {
		members[count++] = set.members[i];
		for (uint32_t letter = 0; letter < letters && rc == 0; letter++)
			rc = spread_member(automaton, set.members[i], letter, &members[count++]);
	}
	if (rc == 0)
		rc = intern_set(automaton, members, count, ret_states);
	free(members);
	return rc;
}

/* Adds what an unknown event may make of a member, if it is not there yet. */
static int spread_into(struct iq_automaton *automaton, struct iq_map *reached, iq_node at, uint32_t letter)
{
	iq_node next;
	uint32_t index;
	int rc = spread_member(automaton, at, letter, &next);

	if (rc == 0)
		rc = iq_map_intern(reached, iq_view_make((const char *)&next, sizeof(next)), &index);
	if (rc < 0)
		return rc;
	return reached->count > IQ_AUTOMATON_MAX_MEMBERS ? IQ_ERR_LIMIT : 0;
}

static iq_node reached_node(const struct iq_map *reached, size_t index)
{
	iq_node node;

	memcpy(&node, reached->entries[index].key.data, sizeof(node));
	return node;
}

static int reach_all(struct iq_automaton *automaton, iq_states states, struct iq_map *reached)
{
	const struct set set = automaton->sets[states];
	uint32_t letters = automaton->symbol_count + automaton->ends[automaton->symbol_count];
	uint32_t index;
	int rc = 0;

	for (size_t i = 0; i < set.count && rc >= 0; i++)
		rc = iq_map_intern(reached, iq_view_make((const char *)&set.members[i], sizeof(iq_node)), &index);
	for (size_t i = 0; i < reached->count && rc >= 0; i++)
		for (uint32_t letter = 0; letter < letters && rc >= 0; letter++)
			rc = spread_into(automaton, reached, reached_node(reached, i), letter);
	return rc < 0 ? rc : 0;
}

static int intern_reached(struct iq_automaton *automaton, const struct iq_map *reached, iq_states *ret_states)
{
	iq_node *members = malloc((reached->count + 1) * sizeof(*members));
	int rc;

	if (!members)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < reached->count; i++)
		members[i] = reached_node(reached, i);
	rc = intern_set(automaton, members, reached->count, ret_states);
	free(members);
	return rc;
}

static int blur_fully(struct iq_automaton *automaton, iq_states states, iq_states *ret_states)
{
	struct iq_map reached = IQ_MAP_INIT;
	iq_states blurred = automaton->sets[states].blurred;
	int rc = 0;

	if (blurred == UNKNOWN) {
		rc = reach_all(automaton, states, &reached);
		if (rc == 0)
			rc = intern_reached(automaton, &reached, &blurred);
		if (rc == IQ_ERR_LIMIT)
			blurred = TOO_MANY;
		automaton->sets[states].blurred = blurred;
		iq_map_release(&reached);
	}
	if (rc == 0 && blurred != TOO_MANY)
		*ret_states = blurred;
	return rc == 0 && blurred == TOO_MANY ? IQ_ERR_LIMIT : rc;
}

int iq_states_blur(struct iq_automaton *automaton, iq_states states, int64_t count, iq_states *ret_states)
{
	int rc = 0;

	if (count < 0)
		return blur_fully(automaton, states, ret_states);
	*ret_states = states;
	for (int64_t i = 0; i < count && rc == 0; i++) {
		iq_states before = *ret_states;

		rc = spread(automaton, before, ret_states);
		if (*ret_states == before)
			break;
	}
	return rc;
}

const iq_node *iq_states_members(const struct iq_automaton *automaton, iq_states states, size_t *ret_count)
{
	*ret_count = automaton->sets[states].count;
	return automaton->sets[states].members;
}

bool iq_states_has(const struct iq_automaton *automaton, iq_states states, iq_node state)
{
	for (size_t i = 0; i < automaton->sets[states].count; i++)
		if (automaton->sets[states].members[i] == state)
			return true;
	return false;
}

static int can_continue(struct iq_automaton *automaton, iq_node state, bool *ret_can)
{
	iq_node next;

	*ret_can = false;
	for (uint32_t symbol = 0; symbol < automaton->symbol_count && !*ret_can; symbol++) {
		int rc = derive(automaton, state, symbol, &next);

		if (rc < 0)
			return rc;
		*ret_can = next != IQ_NODE_DEAD;
	}
	return 0;
}

static int judge_set(struct iq_automaton *automaton, iq_states states)
{
	struct set set = automaton->sets[states];
	struct iq_states_facts facts = { .all_alive = true, .all_accept = true, .complete = true };

	for (size_t i = 0; i < set.count; i++) {
		bool accepts = automaton->nodes[set.members[i]].accepts;
		bool can;
		int rc = can_continue(automaton, set.members[i], &can);

		if (rc < 0)
			return rc;
		facts.any_alive |= set.members[i] != IQ_NODE_DEAD;
		facts.all_alive &= set.members[i] != IQ_NODE_DEAD;
		facts.any_accepts |= accepts;
		facts.all_accept &= accepts;
		facts.complete &= !can;
	}
	facts.complete &= facts.any_alive;
	automaton->sets[states].facts = facts;
	automaton->steps.marks[states] =
		(uint8_t)(IQ_MARK_JUDGED | (facts.any_alive && !facts.complete ? IQ_MARK_ON : 0));
	return 0;
}

int iq_states_facts(struct iq_automaton *automaton, iq_states states, struct iq_states_facts *ret_facts)
{
	int rc = automaton->steps.marks[states] ? 0 : judge_set(automaton, states);

	if (rc == 0)
		*ret_facts = automaton->sets[states].facts;
	return rc;
}
