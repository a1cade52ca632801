/* The draft: a lifecycle for each key, as YAML. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "query/learn.h"
#include "query/mine.h"

/* A deadline is so many times what a high percentile took, more than the longest, and no shorter than this. */
#define HEADROOM 3
#define PERCENTILE 99
#define SHORTEST_DEADLINE IQ_NS_PER_S
#define NAME_SIZE 64

/* One lifecycle. Its letters are types and children, numbered as they appear. */
struct lifecycle {
	const struct iq_sample_key *key;
	char name[NAME_SIZE];
	struct iq_map letters; /* 4 bytes: a type, or CHILD and a key -> number */
	struct iq_mine mine;
	bool *begins; /* by type */
	bool *ends;
	uint32_t kinds;
	uint32_t directions;
	uint64_t instances;
	int64_t deadline; /* 0: none */
};

#define CHILD 0x80000000u

struct drafting {
	struct iq_learner *learner;
	double noise;
	uint64_t left_out;
	struct lifecycle lifecycles[IQ_LEARN_MAX_KEYS];
	bool nests; /* children stand in the orders of their parents */
	bool limits_times;
};

/* ---- Names ---- */

static void append_word(char name[NAME_SIZE], struct iq_view word)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < word.len && len + 3 < NAME_SIZE; i++) {
		const unsigned char c = (unsigned char)word.data[i];
		const bool upper = isupper(c) && i > 0 && islower((unsigned char)word.data[i - 1]);

		if ((upper || !isalnum(c)) && len > 0 && name[len - 1] != '-')
			name[len++] = '-';
		if (isalnum(c))
			name[len++] = (char)tolower(c);
	}
	while (len > 0 && name[len - 1] == '-')
		len--;
	name[len] = '\0';
}

/* `/data/run_id` -> `run` */
static struct iq_view stem_of(struct iq_view field)
{
	static const struct iq_view endings[] = { { "_id", 3 }, { "-id", 3 }, { ".id", 3 }, { "Id", 2 }, { "ID", 2 } };
	size_t from = field.len;

	while (from > 0 && field.data[from - 1] != '/' && field.data[from - 1] != '@')
		from--;
	field = iq_view_from(field, from);
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		if (field.len > endings[i].len && iq_view_ends_with(field, endings[i]))
			return iq_view_make(field.data, field.len - endings[i].len);
	return iq_view_eq(field, IQ_LIT("id")) || iq_view_eq(field, IQ_LIT("key")) ? IQ_VIEW_NULL : field;
}

static bool in_child(const struct iq_learner *learner, const struct iq_sample_key *key, size_t sample)
{
	for (size_t i = 0; i < learner->key_count; i++)
		if (learner->keys[i].parent != SIZE_MAX && &learner->keys[learner->keys[i].parent] == key &&
		    learner->keys[i].group_of[sample] != IQ_LEARN_NONE)
			return true;
	return false;
}

static bool is_used(const struct iq_sample_key *key, size_t sample)
{
	return key->group_of[sample] != IQ_LEARN_NONE && !key->groups[key->group_of[sample]].outside;
}

/* What the types of its own, without those of its children, have in common: `agent` of agent_started, agent_thinking. */
static struct iq_view common_prefix(const struct iq_learner *learner, const struct iq_sample_key *key)
{
	struct iq_view prefix = IQ_VIEW_NULL;
	size_t len = 0;

	for (size_t i = 0; i < learner->sample_count; i++) {
		const struct iq_view type = learner->types.entries[learner->samples[i].type].key;

		if (!is_used(key, i) || in_child(learner, key, i))
			continue;
		if (!prefix.data)
			prefix = type;
		for (len = 0; len < prefix.len && len < type.len && prefix.data[len] == type.data[len];)
			len++;
		prefix.len = len;
	}
	while (prefix.len > 0 && isalnum((unsigned char)prefix.data[prefix.len - 1]))
		prefix.len--;
	return prefix;
}

static bool is_taken(const struct drafting *drafting, const struct lifecycle *lifecycle)
{
	const struct iq_view name = iq_view_cstr(lifecycle->name);

	for (const struct lifecycle *other = drafting->lifecycles; other != lifecycle; other++)
		if (iq_view_eq(name, iq_view_cstr(other->name)))
			return true;
	return iq_map_get(&drafting->learner->types, name) != NULL;
}

static void name_lifecycle(const struct drafting *drafting, struct lifecycle *lifecycle)
{
	const struct iq_sample_key *key = lifecycle->key;
	char stem[NAME_SIZE] = "";
	size_t len;

	append_word(stem, key->field.data ? stem_of(key->field) : IQ_LIT("session"));
	if (key->field.data)
		append_word(lifecycle->name, common_prefix(drafting->learner, key));
	if (strncmp(stem, lifecycle->name, strlen(lifecycle->name)) == 0)
		lifecycle->name[0] = '\0';
	if (lifecycle->name[0] && stem[0] && strlen(lifecycle->name) + strlen(stem) + 2 < NAME_SIZE)
		(void)strcat(lifecycle->name, "-");
	if (strlen(lifecycle->name) + strlen(stem) + 1 < NAME_SIZE)
		(void)strcat(lifecycle->name, stem);
	if (!lifecycle->name[0])
		append_word(lifecycle->name, IQ_LIT("instance"));
	len = strlen(lifecycle->name);
	for (unsigned number = 2; is_taken(drafting, lifecycle) && len + 12 < NAME_SIZE; number++)
		(void)snprintf(lifecycle->name + len, NAME_SIZE - len, "-%u", number);
}

/* ---- Sequences ---- */

/* The letters of one instance, as they come in. */
struct sequence {
	uint32_t *letters;
	size_t count;
	size_t capacity;
};

static int add_letter(struct lifecycle *lifecycle, struct sequence *sequence, uint32_t meaning)
{
	uint32_t letter;

	if (iq_map_intern(&lifecycle->letters, iq_view_make((const char *)&meaning, sizeof(meaning)), &letter) < 0 ||
	    IQ_ARRAY_GROW(sequence->letters, sequence->capacity, sequence->count + 1) < 0)
		return IQ_ERR_NOMEM;
	/* Children may come in any number: one stands for those in a row. */
	if (!(meaning & CHILD) || sequence->count == 0 || sequence->letters[sequence->count - 1] != letter)
		sequence->letters[sequence->count++] = letter;
	return 0;
}

/* The child that the sample belongs to, or NULL; only where children stand in the orders of their parents. */
static const struct iq_sample_key *child_at(const struct drafting *drafting, const struct iq_sample_key *key,
					    size_t sample, uint32_t *ret_number)
{
	const struct iq_learner *learner = drafting->learner;

	for (uint32_t i = 0; drafting->nests && i < learner->key_count; i++)
		if (learner->keys[i].parent != SIZE_MAX && &learner->keys[learner->keys[i].parent] == key &&
		    learner->keys[i].group_of[sample] != IQ_LEARN_NONE) {
			*ret_number = i;
			return &learner->keys[i];
		}
	return NULL;
}

/* A child stands where it begins; with `late`, where it ends. Where something comes in between, both orders were seen then. */
static int take_sample(const struct drafting *drafting, struct lifecycle *lifecycle, struct sequence *sequence,
		       size_t sample, bool late)
{
	uint32_t number = 0;
	const struct iq_sample_key *child = child_at(drafting, lifecycle->key, sample, &number);
	const struct iq_sample_group *group = child ? &child->groups[child->group_of[sample]] : NULL;

	if (!child)
		return add_letter(lifecycle, sequence, drafting->learner->samples[sample].type);
	return sample == (late ? group->last : group->first) ? add_letter(lifecycle, sequence, CHILD | number) : 0;
}

/* Samples sorted by group: where those of each begin, and the samples. */
struct members {
	size_t *begin;
	uint32_t *samples;
};

static int sort_members(const struct iq_learner *learner, const struct iq_sample_key *key, struct members *ret)
{
	size_t *at = calloc(key->group_count + 2, sizeof(*at));

	ret->begin = calloc(key->group_count + 2, sizeof(*ret->begin));
	ret->samples = calloc(learner->sample_count + 1, sizeof(*ret->samples));
	if (at && ret->begin && ret->samples) {
		for (size_t i = 0; i < key->group_count; i++)
			at[i + 1] = ret->begin[i + 1] = ret->begin[i] + key->groups[i].count;
		for (uint32_t i = 0; i < learner->sample_count; i++)
			if (key->group_of[i] != IQ_LEARN_NONE)
				ret->samples[at[key->group_of[i]]++] = i;
	}
	free(at);
	return ret->begin && ret->samples ? 0 : IQ_ERR_NOMEM;
}

static void release_members(struct members *members)
{
	free(members->begin);
	free(members->samples);
}

static int read_sequence(const struct drafting *drafting, struct lifecycle *lifecycle, const struct members *members,
			 size_t group, bool late, struct sequence *sequence)
{
	int rc = 0;

	sequence->count = 0;
	for (size_t i = members->begin[group]; i < members->begin[group + 1] && rc == 0; i++)
		rc = take_sample(drafting, lifecycle, sequence, members->samples[i], late);
	return rc;
}

static bool is_group_used(const struct iq_sample_group *group)
{
	return !group->outside && !group->noise && group->count > 0;
}

/* Calls `take` for both sequences of every instance. */
static int each_sequence(const struct drafting *drafting, struct lifecycle *lifecycle, const struct members *members,
			 int (*take)(void *context, uint32_t group, const struct sequence *sequence), void *context)
{
	const struct iq_sample_key *key = lifecycle->key;
	struct sequence sequence = { 0 };
	int rc = 0;

	for (uint32_t i = 0; i < key->group_count && rc == 0; i++)
		for (int late = 0; late < 2 && rc == 0 && is_group_used(&key->groups[i]); late++) {
			rc = read_sequence(drafting, lifecycle, members, i, late, &sequence);
			if (rc == 0)
				rc = take(context, i, &sequence);
		}
	free(sequence.letters);
	return rc;
}

static int take_for_mining(void *context, uint32_t group, const struct sequence *sequence)
{
	const int rc = iq_mine_add(context, sequence->letters, sequence->count);

	(void)group;
	return rc < 0 ? rc : 0;
}

/* ---- Noise ---- */

struct noise {
	struct iq_learn_steps steps;
	bool *rare; /* by group */
	double least;
};

static int count_steps(void *context, uint32_t group, const struct sequence *sequence)
{
	struct noise *noise = context;

	return iq_learn_steps_add(&noise->steps, group, sequence->letters, sequence->count);
}

static int mark_rare(void *context, uint32_t group, const struct sequence *sequence)
{
	struct noise *noise = context;

	noise->rare[group] |= iq_learn_steps_rarest(&noise->steps, sequence->letters, sequence->count) < noise->least;
	return 0;
}

/* Where many instances do what nearly no other does, that is how they are, and no noise. */
static void leave_out(struct drafting *drafting, struct iq_sample_key *key, const struct noise *noise)
{
	uint64_t count = 0;

	for (size_t i = 0; i < key->group_count; i++)
		count += noise->rare[i];
	for (size_t i = 0; i < key->group_count && (double)count <= 2 * noise->least; i++)
		key->groups[i].noise = noise->rare[i];
	drafting->left_out += (double)count <= 2 * noise->least ? count : 0;
}

static int leave_noise_out(struct drafting *drafting, struct lifecycle *lifecycle, const struct members *members)
{
	struct iq_sample_key *key = &drafting->learner->keys[lifecycle - drafting->lifecycles];
	struct noise noise = { .steps = { .known = IQ_MAP_INIT }, .rare = calloc(key->group_count + 1, 1) };
	uint64_t used = 0;
	int rc = noise.rare ? 0 : IQ_ERR_NOMEM;

	for (size_t i = 0; i < key->group_count; i++) {
		key->groups[i].noise = false;
		used += is_group_used(&key->groups[i]);
	}
	noise.least = drafting->noise * (double)used;
	/* What one instance does is told from noise by no number of others that small. */
	if (rc == 0 && noise.least > 1)
		rc = each_sequence(drafting, lifecycle, members, count_steps, &noise);
	if (rc == 0 && noise.least > 1)
		rc = each_sequence(drafting, lifecycle, members, mark_rare, &noise);
	if (rc == 0)
		leave_out(drafting, key, &noise);
	iq_learn_steps_release(&noise.steps);
	free(noise.rare);
	return rc;
}

/* ---- What else is known of an instance ---- */

static void note_ends(const struct iq_learner *learner, struct lifecycle *lifecycle, const struct members *members,
		      size_t group)
{
	for (size_t i = members->begin[group]; i < members->begin[group + 1]; i++) {
		const struct iq_sample *sample = &learner->samples[members->samples[i]];

		lifecycle->kinds |= 1u << sample->kind;
		lifecycle->directions |= 1u << sample->direction;
	}
	lifecycle->begins[learner->samples[lifecycle->key->groups[group].first].type] = true;
	lifecycle->ends[learner->samples[lifecycle->key->groups[group].last].type] = true;
	lifecycle->instances++;
}

/* ---- Deadlines ---- */

static int by_value(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* The next round figure: 1, 2, 3, 5, 10, 15, 20, 30 s, 1 min, ... */
static int64_t round_up(int64_t ns)
{
	static const int64_t seconds[] = { 1,	2,   3,	  5,   10,   15,   20,	 30,   45,   60,    90,	   120,
					   180, 300, 600, 900, 1200, 1800, 2700, 3600, 7200, 10800, 21600, 43200 };
	const int64_t day = 86400 * IQ_NS_PER_S;

	for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++)
		if (ns <= seconds[i] * IQ_NS_PER_S)
			return seconds[i] * IQ_NS_PER_S;
	return (ns / day + 1) * day;
}

/* The longest of those that are not far off, where so many may be. */
static int64_t deadline_for(int64_t *times, size_t count, size_t noise)
{
	int64_t high, longest;

	if (count == 0)
		return 0;
	qsort(times, count, sizeof(*times), by_value);
	high = times[(count - 1) * PERCENTILE / 100 < count - 1 - noise ? (count - 1) * PERCENTILE / 100
									: count - 1 - noise];
	longest = times[count - 1];
	for (size_t i = 0; i < noise && longest / HEADROOM > high; i++)
		longest = times[count - 2 - i];
	if (longest > INT64_MAX / (2 * HEADROOM))
		return 0;
	high = high * HEADROOM > longest + longest / 4 ? high * HEADROOM : longest + longest / 4;
	return round_up(high > SHORTEST_DEADLINE ? high : SHORTEST_DEADLINE);
}

/* What begins an instance is followed by what ends it, unless a name does both. */
static bool has_pair(const struct drafting *drafting, const struct lifecycle *lifecycle)
{
	for (size_t i = 0; i < drafting->learner->types.count; i++)
		if (lifecycle->begins[i] && lifecycle->ends[i])
			return false;
	return true;
}

static int set_deadline(struct drafting *drafting, struct lifecycle *lifecycle)
{
	const struct iq_sample_key *key = lifecycle->key;
	int64_t *times = calloc(key->group_count + 1, sizeof(*times));
	size_t count = 0;

	if (!times)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < key->group_count; i++) {
		const struct iq_sample_group *group = &key->groups[i];
		int64_t from, to;

		if (!is_group_used(group))
			continue;
		from = drafting->learner->samples[group->first].ts;
		to = drafting->learner->samples[group->last].ts;
		if (from != IQ_TIME_NONE && to != IQ_TIME_NONE && to >= from)
			times[count++] = to - from;
	}
	if (has_pair(drafting, lifecycle))
		lifecycle->deadline = deadline_for(times, count, (size_t)(drafting->noise * (double)count));
	for (size_t i = 0; i < count && lifecycle->deadline > 0 && drafting->limits_times; i++)
		drafting->left_out += times[i] > lifecycle->deadline;
	free(times);
	return 0;
}

/* ---- One lifecycle ---- */

static int learn_lifecycle(struct drafting *drafting, struct lifecycle *lifecycle, const struct iq_sample_key *key)
{
	struct iq_learner *learner = drafting->learner;
	struct members members = { 0 };
	int rc = sort_members(learner, key, &members);

	lifecycle->key = key;
	lifecycle->begins = iq_arena_calloc(&learner->memory, learner->types.count + 1, 1);
	lifecycle->ends = iq_arena_calloc(&learner->memory, learner->types.count + 1, 1);
	rc = learner->memory.failed ? IQ_ERR_NOMEM : rc;
	name_lifecycle(drafting, lifecycle);
	if (rc == 0)
		rc = leave_noise_out(drafting, lifecycle, &members);
	for (size_t i = 0; rc == 0 && i < key->group_count; i++)
		if (is_group_used(&key->groups[i]))
			note_ends(learner, lifecycle, &members, i);
	if (rc == 0)
		rc = each_sequence(drafting, lifecycle, &members, take_for_mining, &lifecycle->mine);
	release_members(&members);
	return rc == 0 ? set_deadline(drafting, lifecycle) : rc;
}

/* ---- Writing ---- */

static void write_list(struct iq_buf *out, uint32_t bits, const char *(*name)(uint32_t number))
{
	const bool several = (bits & (bits - 1)) != 0;
	const char *joint = "";

	(void)iq_buf_append_cstr(out, several ? "[" : "");
	for (uint32_t i = 0; i < 32; i++) {
		if (!(bits >> i & 1))
			continue;
		(void)iq_buf_appendf(out, "%s%s", joint, name(i));
		joint = ", ";
	}
	(void)iq_buf_append_cstr(out, several ? "]" : "");
}

static const char *kind_name(uint32_t number)
{
	return iq_kind_name((enum iq_kind)number);
}

static const char *direction_name(uint32_t number)
{
	return iq_direction_name((enum iq_direction)number);
}

static void write_select(struct iq_buf *out, const struct lifecycle *lifecycle)
{
	const uint32_t one_side = lifecycle->directions & ~(1u << IQ_DIRECTION_NONE);

	if (!lifecycle->key->field.data)
		return;
	(void)iq_buf_append_cstr(out, "select:   { kind: ");
	write_list(out, lifecycle->kinds, kind_name);
	if (lifecycle->directions == one_side && (one_side & (one_side - 1)) == 0) {
		(void)iq_buf_append_cstr(out, ", direction: ");
		write_list(out, one_side, direction_name);
	}
	(void)iq_buf_append_cstr(out, " }\ninstance: ");
	if (lifecycle->key->field.data[0] == '@')
		(void)iq_json_append_string(out, lifecycle->key->field);
	else
		(void)iq_buf_append(out, lifecycle->key->field);
	(void)iq_buf_append_char(out, '\n');
}

/* Types as alternatives: `a | b`. */
static void write_alternatives(struct iq_buf *out, const struct iq_learner *learner, const bool *types)
{
	const char *joint = "";

	for (size_t i = 0; i < learner->types.count; i++) {
		if (!types[i])
			continue;
		(void)iq_buf_append_cstr(out, joint);
		(void)iq_order_append_name(out, learner->types.entries[i].key);
		joint = " | ";
	}
}

/* As a spec has it: one number and its unit. */
static void write_duration(struct iq_buf *out, int64_t ns)
{
	const int64_t seconds = ns / IQ_NS_PER_S;

	if (seconds % 3600 == 0)
		(void)iq_buf_appendf(out, "%" PRId64 "h", seconds / 3600);
	else if (seconds % 60 == 0)
		(void)iq_buf_appendf(out, "%" PRId64 "m", seconds / 60);
	else
		(void)iq_buf_appendf(out, "%" PRId64 "s", seconds);
}

static void write_deadline(struct iq_buf *out, const struct drafting *drafting, const struct lifecycle *lifecycle)
{
	if (lifecycle->deadline == 0 || !drafting->limits_times)
		return;
	(void)iq_buf_append_cstr(out, "within:\n  - ");
	write_alternatives(out, drafting->learner, lifecycle->begins);
	(void)iq_buf_append_cstr(out, " -> ");
	write_alternatives(out, drafting->learner, lifecycle->ends);
	(void)iq_buf_append_cstr(out, ": ");
	write_duration(out, lifecycle->deadline);
	(void)iq_buf_append_char(out, '\n');
}

/* The names of a lifecycle's letters; which of them are children. */
static int read_letters(const struct drafting *drafting, const struct lifecycle *lifecycle, struct iq_mine_name *names)
{
	const struct iq_learner *learner = drafting->learner;

	for (size_t i = 0; i < lifecycle->letters.count; i++) {
		uint32_t meaning;

		memcpy(&meaning, lifecycle->letters.entries[i].key.data, sizeof(meaning));
		names[i].any_number = (meaning & CHILD) != 0;
		names[i].text = meaning & CHILD ? iq_view_cstr(drafting->lifecycles[meaning & ~CHILD].name)
						: learner->types.entries[meaning].key;
	}
	return 0;
}

static int write_lifecycle(const struct drafting *drafting, struct lifecycle *lifecycle, struct iq_buf *out)
{
	struct iq_mine_name names[IQ_MINE_MAX_NAMES];
	struct iq_buf order = IQ_BUF_INIT;
	int rc = lifecycle->letters.count > IQ_MINE_MAX_NAMES ? IQ_ERR_LIMIT : read_letters(drafting, lifecycle, names);

	if (rc == 0)
		rc = iq_mine_order(&lifecycle->mine, names, lifecycle->letters.count, &order);
	if (rc == 0) {
		const bool quoted = memchr(order.data, '\'', order.len) || memchr(order.data, '"', order.len);

		(void)iq_buf_appendf(out, "lifecycle: %s\n", lifecycle->name);
		write_select(out, lifecycle);
		(void)iq_buf_appendf(out, "order: %s", quoted ? ">\n  " : "");
		(void)iq_buf_append(out, iq_buf_view(&order));
		(void)iq_buf_append_char(out, '\n');
		write_deadline(out, drafting, lifecycle);
	}
	iq_buf_release(&order);
	return out->failed ? IQ_ERR_NOMEM : rc;
}

/* ---- The draft ---- */

static void open_drafting(struct drafting *drafting, struct iq_learner *learner, double noise, bool plain)
{
	*drafting = (struct drafting){ .learner = learner, .noise = noise, .nests = !plain, .limits_times = !plain };
	for (size_t i = 0; i < IQ_LEARN_MAX_KEYS; i++) {
		drafting->lifecycles[i].letters = (struct iq_map)IQ_MAP_INIT;
		iq_mine_init(&drafting->lifecycles[i].mine);
	}
}

static void close_drafting(struct drafting *drafting)
{
	for (size_t i = 0; i < IQ_LEARN_MAX_KEYS; i++) {
		iq_map_release(&drafting->lifecycles[i].letters);
		iq_mine_release(&drafting->lifecycles[i].mine);
	}
}

static int write_draft(struct iq_learner *learner, double noise, bool plain, struct iq_draft *draft,
		       struct iq_error *error)
{
	struct drafting drafting;
	struct iq_buf *yaml = &draft->yaml;
	int rc = 0;

	open_drafting(&drafting, learner, noise, plain);
	for (size_t i = 0; i < learner->key_count && rc == 0; i++)
		rc = learn_lifecycle(&drafting, &drafting.lifecycles[i], &learner->keys[i]);
	for (size_t i = 0; i < learner->key_count && rc == 0; i++) {
		(void)iq_buf_append_cstr(yaml, i > 0 ? "---\n" : "");
		rc = write_lifecycle(&drafting, &drafting.lifecycles[i], yaml);
	}
	close_drafting(&drafting);
	draft->noise = drafting.left_out;
	if (rc == IQ_ERR_LIMIT)
		return iq_error_set(
			error, rc,
			"more than %u names in one lifecycle; name the field that tells its instances apart with --instance",
			IQ_MINE_MAX_NAMES);
	return rc < 0 ? iq_error_nomem(error) : 0;
}

static int check_draft(struct iq_learner *learner, struct iq_draft *draft, struct iq_error *error)
{
	struct iq_spec *spec = NULL;
	int rc = iq_spec_parse(iq_buf_view(&draft->yaml), "draft", &spec, error);

	if (rc == 0)
		rc = iq_check(learner->store, spec, &draft->result, error);
	draft->checked = rc == 0;
	iq_spec_free(spec);
	return rc;
}

/* Where children and times are more than the checker takes, because they make the automaton too large, the draft does without. */
static int write_checked_draft(struct iq_learner *learner, double noise, struct iq_draft *draft, struct iq_error *error)
{
	struct iq_error ignored = IQ_ERROR_INIT;
	int rc = write_draft(learner, noise, false, draft, error);

	if (rc < 0 || check_draft(learner, draft, &ignored) == 0)
		return rc;
	iq_buf_clear(&draft->yaml);
	rc = write_draft(learner, noise, true, draft, error);
	return rc == 0 ? check_draft(learner, draft, error) : rc;
}

static uint64_t count_chosen(const struct iq_learner *learner, uint32_t *sessions)
{
	uint64_t count = 0;

	for (uint32_t i = 1; i < learner->sessions; i++)
		if (learner->chosen[i])
			sessions[count++] = i;
	return count;
}

/* Who was learned from goes with the draft. */
static int keep_facts(const struct iq_learner *learner, struct iq_draft *draft, struct iq_error *error)
{
	draft->sessions = calloc(learner->sessions, sizeof(*draft->sessions));
	if (!draft->sessions)
		return iq_error_nomem(error);
	draft->session_count = (size_t)count_chosen(learner, draft->sessions);
	draft->open = learner->left_out[IQ_LEFT_OPEN];
	draft->cut = learner->left_out[IQ_LEFT_CUT];
	draft->refused = learner->left_out[IQ_LEFT_REFUSED];
	draft->faulty = learner->left_out[IQ_LEFT_FAULTY];
	draft->others = learner->left_out[IQ_LEFT_OTHER];
	draft->limited = learner->limited;
	return 0;
}

static int check_anything(const struct iq_learner *learner, struct iq_error *error)
{
	uint64_t events = 0;

	for (size_t i = 0; i < learner->key_count; i++)
		events += learner->keys[i].events;
	if (events > 0)
		return 0;
	return iq_error_set(
		error, IQ_ERR_NOT_FOUND, "nothing to learn from: no chosen session has events with a type%s",
		learner->sample_count > 0 ? " whose instances lie in it whole; choose others with --session or --good"
					  : "");
}

int iq_learn(struct iq_store *store, const struct iq_learn_options *options, struct iq_draft *ret_draft,
	     struct iq_error *error)
{
	struct iq_learner learner;
	int rc = iq_learner_read(&learner, store, options, error);

	*ret_draft = (struct iq_draft){ .yaml = IQ_BUF_INIT };
	if (rc == 0)
		rc = iq_learner_find_keys(&learner, options, error);
	if (rc == 0)
		rc = check_anything(&learner, error);
	if (rc == 0)
		rc = keep_facts(&learner, ret_draft, error);
	if (rc == 0)
		rc = write_checked_draft(&learner, options->noise, ret_draft, error);
	iq_learner_release(&learner);
	if (rc < 0)
		iq_draft_release(ret_draft);
	return rc;
}

void iq_draft_release(struct iq_draft *draft)
{
	if (draft->checked)
		iq_check_result_release(&draft->result);
	iq_buf_release(&draft->yaml);
	free(draft->sessions);
	*draft = (struct iq_draft){ .yaml = IQ_BUF_INIT };
}
