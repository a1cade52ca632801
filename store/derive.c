#include "store/derive.h"

#include "base/base.h"

/* Of two columns, so many pairs are looked at before more than that is done, and then so many to learn from. */
#define GLANCE 8u
#define SAMPLE 64u

struct deriving {
	struct iq_derived *columns;
	size_t count;
	struct iq_view (*value)(void *context, size_t column, size_t index);
	void *context;
	bool is_source[IQ_DERIVE_MAX_COLUMNS];
};

/* Do the values of `column` stand in those of `source`, as far as a glance tells? */
static bool may_stand_in(const struct deriving *deriving, size_t column, size_t source)
{
	const size_t count = deriving->columns[column].count, step = count / GLANCE;
	size_t missing = 0;

	for (size_t i = 0; i < GLANCE && missing < 2; i++)
		missing += iq_view_find(deriving->value(deriving->context, source, i * step),
					deriving->value(deriving->context, column, i * step)) == SIZE_MAX;
	return missing < 2;
}

static bool learn(const struct deriving *deriving, size_t column, size_t source, struct iq_field *ret_field)
{
	const size_t step = deriving->columns[column].count / SAMPLE;
	const struct iq_field_candidate *best;
	struct iq_field_guess guess = { 0 };

	for (size_t i = 0; i < SAMPLE; i++)
		iq_field_weigh(&guess, deriving->value(deriving->context, column, i * step),
			       (const struct iq_view[IQ_FIELD_SOURCES]){
				       deriving->value(deriving->context, source, i * step) });
	best = iq_field_best(&guess);
	if (!best || best->hits * 100 < SAMPLE * (100 - 2 * IQ_DERIVE_MAX_OTHERS))
		return false;
	*ret_field = best->field;
	return true;
}

static bool holds(const struct deriving *deriving, size_t column, size_t source, const struct iq_field *field)
{
	const size_t count = deriving->columns[column].count;
	size_t others = 0;
	struct iq_view found;

	for (size_t i = 0; i < count && others * 100 <= count * IQ_DERIVE_MAX_OTHERS; i++)
		others += !iq_field_find(field, deriving->value(deriving->context, source, i), &found) ||
			  !iq_view_eq(found, deriving->value(deriving->context, column, i));
	return others * 100 <= count * IQ_DERIVE_MAX_OTHERS;
}

/* Of two with as many bytes the later one may be derived. */
static bool is_longer(const struct deriving *deriving, size_t source, size_t column)
{
	const uint64_t of_source = deriving->columns[source].bytes, of_column = deriving->columns[column].bytes;

	return of_source > of_column || (of_source == of_column && source < column);
}

static bool may_be_source(const struct deriving *deriving, size_t source, size_t column)
{
	const struct iq_derived *from = &deriving->columns[source], *to = &deriving->columns[column];

	return from->count == to->count && from->texts == to->texts && from->source == SIZE_MAX &&
	       is_longer(deriving, source, column) && may_stand_in(deriving, column, source);
}

static void derive_one(struct deriving *deriving, size_t column)
{
	struct iq_derived *to = &deriving->columns[column];

	if (to->count < IQ_DERIVE_LEAST || deriving->is_source[column])
		return;
	for (size_t source = 0; source < deriving->count; source++)
		if (may_be_source(deriving, source, column) && learn(deriving, column, source, &to->field) &&
		    holds(deriving, column, source, &to->field)) {
			to->source = source;
			deriving->is_source[source] = true;
			return;
		}
}

void iq_derive(struct iq_derived *columns, size_t count,
	       struct iq_view (*value)(void *context, size_t column, size_t index), void *context)
{
	struct deriving deriving = { .columns = columns, .count = count, .value = value, .context = context };

	for (size_t i = 0; i < count; i++)
		columns[i].source = SIZE_MAX;
	for (size_t i = 0; i < count && count <= IQ_DERIVE_MAX_COLUMNS; i++)
		derive_one(&deriving, i);
}
