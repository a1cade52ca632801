/* Which fields tell instances apart. */
#include <ctype.h>
#include <stdlib.h>

#include "query/learn.h"

/* Of a hundred instances: those that have more than one type, */
#define LEAST_SEVERAL 50
/* those whose first type comes again, */
#define MOST_BEGIN_TWICE 10
/* those that begin with the same type, */
#define LEAST_SAME_BEGIN 80
/* and of a hundred events of a type that has the field, those that have it. */
#define LEAST_PRESENT 90

/* A field under examination; its values are a part of the learner's. */
struct field {
	const struct iq_sample_value *values;
	size_t count;
	struct iq_sample_key key;
};

/* ---- Groups ---- */

static int group_of(struct iq_map *known, struct iq_sample_key *key, uint64_t hash, uint32_t *ret_group)
{
	int rc = iq_map_intern(known, iq_view_make((const char *)&hash, sizeof(hash)), ret_group);

	if (rc == 1) {
		key->groups[*ret_group] = (struct iq_sample_group){ .first = IQ_LEARN_NONE, .parent = IQ_LEARN_NONE };
		key->group_count = (size_t)*ret_group + 1;
	}
	return rc < 0 ? rc : 0;
}

static void add_to_group(const struct iq_learner *learner, struct iq_sample_key *key, uint32_t number, uint32_t sample)
{
	const struct iq_sample *samples = learner->samples;
	struct iq_sample_group *group = &key->groups[number];

	if (group->first == IQ_LEARN_NONE)
		group->first = sample;
	else if (samples[sample].type == samples[group->first].type)
		group->begins_twice = true;
	else
		group->several = true;
	group->last = sample;
	group->count++;
	group->outside |= !learner->chosen[samples[sample].session];
	key->group_of[sample] = number;
	key->shape = (key->shape ^ sample ^ (uint64_t)number << 32) * 0x9E3779B97F4A7C15u;
}

static int open_key(const struct iq_learner *learner, struct iq_sample_key *key, size_t most_groups)
{
	key->parent = SIZE_MAX;
	key->group_of = calloc(learner->sample_count + 1, sizeof(*key->group_of));
	key->groups = calloc(most_groups + 1, sizeof(*key->groups));
	if (!key->group_of || !key->groups)
		return IQ_ERR_NOMEM;
	memset(key->group_of, 0xFF, learner->sample_count * sizeof(*key->group_of));
	return 0;
}

static void close_key(struct iq_sample_key *key)
{
	free(key->group_of);
	free(key->groups);
	key->group_of = NULL;
	key->groups = NULL;
}

void iq_learner_forget_keys(struct iq_learner *learner)
{
	for (size_t i = 0; i < learner->key_count; i++)
		close_key(&learner->keys[i]);
	learner->key_count = 0;
}

static void count_events(struct iq_sample_key *key)
{
	for (size_t i = 0; i < key->group_count; i++)
		key->events += key->groups[i].outside ? 0 : key->groups[i].count;
}

static int group_field(struct iq_learner *learner, struct field *field)
{
	struct iq_map known = IQ_MAP_INIT;
	uint32_t group;
	int rc = open_key(learner, &field->key, field->count);

	for (size_t i = 0; i < field->count && rc == 0; i++) {
		/* Of a name that stands twice in a body, the first counts. */
		if (field->key.group_of[field->values[i].sample] != IQ_LEARN_NONE)
			continue;
		rc = group_of(&known, &field->key, field->values[i].hash, &group);
		if (rc == 0)
			add_to_group(learner, &field->key, group, field->values[i].sample);
	}
	iq_map_release(&known);
	count_events(&field->key);
	return rc;
}

static int group_sessions(struct iq_learner *learner, struct iq_sample_key *key)
{
	int rc = open_key(learner, key, learner->sessions);

	key->field = IQ_VIEW_NULL;
	for (uint32_t i = 0; i < learner->sessions && rc == 0; i++)
		key->groups[i] = (struct iq_sample_group){ .first = IQ_LEARN_NONE, .parent = IQ_LEARN_NONE };
	key->group_count = learner->sessions;
	for (uint32_t i = 0; i < learner->sample_count && rc == 0; i++)
		add_to_group(learner, key, learner->samples[i].session, i);
	count_events(key);
	return rc;
}

/* ---- Is it an id? ---- */

struct tally {
	uint64_t groups;
	uint64_t several;
	uint64_t begin_twice;
	uint64_t same_begin;
};

static uint64_t most_common_begin(const struct iq_learner *learner, const struct iq_sample_key *key)
{
	uint64_t counts[IQ_LEARN_MAX_TYPES] = { 0 }, most = 0;

	for (size_t i = 0; i < key->group_count; i++) {
		const struct iq_sample_group *group = &key->groups[i];
		uint64_t count = group->outside ? 0 : ++counts[learner->samples[group->first].type];

		most = count > most ? count : most;
	}
	return most;
}

/* Do nearly all events of the types that have it have it? */
static bool is_present(const struct iq_learner *learner, const struct iq_sample_key *key)
{
	uint64_t with[IQ_LEARN_MAX_TYPES] = { 0 }, all[IQ_LEARN_MAX_TYPES] = { 0 }, lacking = 0, having = 0;

	for (size_t i = 0; i < learner->sample_count; i++) {
		const struct iq_sample *sample = &learner->samples[i];

		all[sample->type] += learner->chosen[sample->session];
		with[sample->type] += learner->chosen[sample->session] && key->group_of[i] != IQ_LEARN_NONE;
	}
	for (size_t i = 0; i < learner->types.count; i++) {
		having += with[i];
		lacking += with[i] > 0 && with[i] * 100 < all[i] * LEAST_PRESENT ? with[i] : 0;
	}
	return lacking * 10 <= having;
}

static bool is_named_id(struct iq_view field)
{
	return iq_view_ends_with(field, IQ_LIT("id")) || iq_view_ends_with(field, IQ_LIT("Id")) ||
	       iq_view_ends_with(field, IQ_LIT("ID")) || iq_view_ends_with(field, IQ_LIT("key"));
}

static bool is_id(const struct iq_learner *learner, const struct iq_sample_key *key)
{
	struct tally tally = { .same_begin = most_common_begin(learner, key) };

	for (size_t i = 0; i < key->group_count; i++) {
		const struct iq_sample_group *group = &key->groups[i];

		tally.groups += !group->outside;
		tally.several += !group->outside && group->several;
		tally.begin_twice += !group->outside && group->begins_twice;
	}
	return tally.groups > (is_named_id(key->field) ? 0u : 1u) &&
	       tally.several * 100 >= tally.groups * LEAST_SEVERAL &&
	       tally.begin_twice * 100 <= tally.groups * MOST_BEGIN_TWICE &&
	       tally.same_begin * 100 >= tally.groups * LEAST_SAME_BEGIN && is_present(learner, key);
}

/* ---- Keys within keys ---- */

/* Does each group of `inner` lie in one of `outer`? 1; 0 where they have no event in common; else -1. Sets the parents. */
static int lies_within(const struct iq_learner *learner, struct iq_sample_key *inner, const struct iq_sample_key *outer)
{
	uint64_t common = 0, alone = 0;

	for (size_t i = 0; i < inner->group_count; i++)
		inner->groups[i].parent = IQ_LEARN_NONE;
	for (size_t i = 0; i < learner->sample_count; i++) {
		struct iq_sample_group *group;

		if (inner->group_of[i] == IQ_LEARN_NONE || !learner->chosen[learner->samples[i].session])
			continue;
		group = &inner->groups[inner->group_of[i]];
		common += outer->group_of[i] != IQ_LEARN_NONE;
		alone += outer->group_of[i] == IQ_LEARN_NONE;
		if (group->parent != IQ_LEARN_NONE && group->parent != outer->group_of[i])
			return -1;
		group->parent = outer->group_of[i];
	}
	return common == 0 ? 0 : alone == 0 ? 1 : -1;
}

/* What begins or ends with its parent is another name for it. */
static bool repeats_parent(const struct iq_sample_key *inner, const struct iq_sample_key *outer)
{
	uint64_t shared = 0, groups = 0;

	for (size_t i = 0; i < inner->group_count; i++) {
		const struct iq_sample_group *group = &inner->groups[i], *around;

		if (group->outside || group->parent == IQ_LEARN_NONE)
			continue;
		around = &outer->groups[group->parent];
		groups++;
		shared += group->first == around->first || group->last == around->last;
	}
	return shared * 2 > groups;
}

/* May it stand beside those that were taken? */
static bool fits(struct iq_learner *learner, struct iq_sample_key *key)
{
	for (size_t i = learner->key_count; i-- > 0;) {
		const struct iq_sample_key *other = &learner->keys[i];
		const int within = other->shape == key->shape ? -1 : lies_within(learner, key, other);

		if (within < 0 || (within == 1 && repeats_parent(key, other)))
			return false;
		if (within == 1) {
			key->parent = i;
			return true;
		}
	}
	return true;
}

/* ---- Choosing ---- */

static int by_field(const void *a, const void *b)
{
	const struct iq_sample_value *x = a, *y = b;

	return x->field != y->field ? (x->field > y->field) - (x->field < y->field)
				    : (x->sample > y->sample) - (x->sample < y->sample);
}

/* Most events first; what is said in the body before columns, short before long. */
static int by_worth(const void *a, const void *b)
{
	const struct field *x = a, *y = b;
	const bool x_column = x->key.field.data[0] != '/', y_column = y->key.field.data[0] != '/';

	if (x->key.events != y->key.events)
		return x->key.events > y->key.events ? -1 : 1;
	if (x_column != y_column)
		return x_column ? 1 : -1;
	if (x->key.field.len != y->key.field.len)
		return x->key.field.len < y->key.field.len ? -1 : 1;
	return iq_view_cmp(x->key.field, y->key.field);
}

static bool is_wanted(const struct iq_learn_options *options, struct iq_view field)
{
	for (size_t i = 0; i < options->instance_count; i++)
		if (iq_view_eq(field, iq_view_cstr(options->instances[i])))
			return true;
	return options->instance_count == 0;
}

/* The fields that may be keys; *ret_count of them. */
static int find_fields(struct iq_learner *learner, const struct iq_learn_options *options, struct field *fields,
		       size_t *ret_count)
{
	int rc = 0;

	*ret_count = 0;
	for (size_t from = 0, to; from < learner->value_count && rc == 0; from = to) {
		const uint32_t number = learner->values[from].field;
		struct field field = { .values = learner->values + from,
				       .key.field = learner->fields.entries[number].key };

		for (to = from; to < learner->value_count && learner->values[to].field == number;)
			to++;
		field.count = to - from;
		if (!is_wanted(options, field.key.field))
			continue;
		rc = group_field(learner, &field);
		if (rc == 0 && (options->instance_count > 0 || is_id(learner, &field.key)))
			fields[(*ret_count)++] = field;
		else
			close_key(&field.key);
	}
	qsort(fields, *ret_count, sizeof(*fields), by_worth);
	return rc;
}

static bool wants_session(const struct iq_learner *learner, const struct iq_learn_options *options)
{
	for (size_t i = 0; i < options->instance_count; i++)
		if (strcmp(options->instances[i], "session") == 0)
			return true;
	return learner->key_count == 0 && options->instance_count == 0;
}

/* Where the body names ids, the column `key`, which is one or the other of them, is none. */
static bool is_column_beside_fields(const struct iq_learner *learner, const struct iq_sample_key *key)
{
	return learner->key_count > 0 && key->field.data[0] != '/';
}

int iq_learner_find_keys(struct iq_learner *learner, const struct iq_learn_options *options, struct iq_error *error)
{
	struct field *fields = calloc(IQ_LEARN_MAX_FIELDS, sizeof(*fields));
	size_t count = 0;
	int rc = fields ? 0 : IQ_ERR_NOMEM;

	if (learner->value_count > 0)
		qsort(learner->values, learner->value_count, sizeof(*learner->values), by_field);
	if (rc == 0)
		rc = find_fields(learner, options, fields, &count);
	for (size_t i = 0; i < count; i++) {
		struct iq_sample_key *key = &fields[i].key;

		if (rc == 0 && learner->key_count + 1 < IQ_LEARN_MAX_KEYS && !is_column_beside_fields(learner, key) &&
		    fits(learner, key))
			learner->keys[learner->key_count++] = *key;
		else
			close_key(key);
	}
	if (rc == 0 && wants_session(learner, options))
		rc = group_sessions(learner, &learner->keys[learner->key_count++]);
	free(fields);
	return rc < 0 ? iq_error_nomem(error) : 0;
}
