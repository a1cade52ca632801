#include "store/fields.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/scan.h"

/* Places of one value that one text of the sample adds. */
#define MAX_NEW 8u
/* Longer texts are not looked at: each place is found from the beginning. */
#define MAX_SOURCE (64u << 10)
/* Texts of further forms are left as they are. */
#define MAX_FORMS 64u

bool iq_field_find(const struct iq_field *field, struct iq_view text, struct iq_view *ret_value)
{
	for (unsigned i = 0; i < field->nth; i++) {
		const char *found = text.len ? memchr(text.data, field->before, text.len) : NULL;

		if (!found)
			return false;
		text = iq_view_from(text, (size_t)(found - text.data) + 1);
	}
	if (!field->to_end) {
		const char *end = text.len ? memchr(text.data, field->after, text.len) : NULL;

		if (!end)
			return false;
		text.len = (size_t)(end - text.data);
	}
	*ret_value = text;
	return text.data != NULL;
}

/* ---- Values of a JSON text ---- */

struct value {
	uint32_t at;
	uint32_t len;
};

/* The values of a text, and a hash of what is around them. */
struct values {
	struct value list[IQ_FIELDS_MAX_VALUES];
	size_t count;
	uint64_t form;
};

static void mix(struct values *values, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		values->form = (values->form ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
}

static size_t string_end(struct iq_view json, size_t at)
{
	for (;;) {
		at = iq_string_end(json, at);
		if (at >= json.len || json.data[at] == '"')
			return at;
		at += json.data[at] == '\\' ? 2 : 1;
	}
}

static bool is_bare(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '+' ||
	       c == '.';
}

/* Is what was quoted the name of a member? */
static bool is_name(struct iq_view json, size_t end)
{
	for (end++; end < json.len && json.data[end] == ' '; end++)
		;
	return end < json.len && json.data[end] == ':';
}

static void add_value(struct values *values, size_t at, size_t len)
{
	if (values->count < IQ_FIELDS_MAX_VALUES)
		values->list[values->count++] = (struct value){ (uint32_t)at, (uint32_t)len };
}

/* False where it is none, or one of more than this is made for. */
static bool find_values(struct iq_view json, struct values *ret_values)
{
	size_t at = 0, from = 0, end;

	ret_values->count = 0;
	ret_values->form = UINT64_C(0xcbf29ce484222325);
	if (json.len == 0 || json.len > MAX_SOURCE || json.data[0] != '{')
		return false;
	while (at < json.len) {
		const bool quoted = json.data[at] == '"';

		if (!quoted && !is_bare(json.data[at])) {
			at++;
			continue;
		}
		at += quoted;
		for (end = quoted ? string_end(json, at) : at; !quoted && end < json.len && is_bare(json.data[end]);
		     end++)
			;
		if (end > json.len)
			return false;
		if (!quoted || !is_name(json, end)) {
			mix(ret_values, json.data + from, at - from);
			add_value(ret_values, at, end - at);
			from = end;
		}
		at = end + quoted;
	}
	mix(ret_values, json.data + from, json.len - from);
	return ret_values->count > 0;
}

static struct iq_view view_of(struct iq_view json, const struct value *value)
{
	return iq_view_make(json.data + value->at, value->len);
}

/* ---- Candidates ---- */

/* A value of a form. */
struct member {
	struct iq_field_guess guess;
	uint64_t bytes;				 /* of the sample */
	const struct iq_field_candidate *chosen; /* NULL: it is no field */
};

struct form {
	struct member *members;
	size_t count;
	uint32_t texts;
};

struct iq_fields {
	struct iq_map numbers; /* of forms, by their hashes */
	struct form *forms;
	size_t form_capacity;
	struct iq_arena memory;
};

struct iq_fields *iq_fields_new(void)
{
	return calloc(1, sizeof(struct iq_fields));
}

void iq_fields_free(struct iq_fields *fields)
{
	if (!fields)
		return;
	iq_map_release(&fields->numbers);
	iq_arena_release(&fields->memory);
	free(fields->forms);
	free(fields);
}

static bool is_there(const struct iq_field_candidate *candidate, struct iq_view value,
		     const struct iq_view sources[IQ_FIELD_SOURCES])
{
	struct iq_view found;

	return sources[candidate->source].len <= MAX_SOURCE &&
	       iq_field_find(&candidate->field, sources[candidate->source], &found) && iq_view_eq(found, value);
}

static size_t occurrences(struct iq_view text, char byte)
{
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++)
		count += text.data[i] == byte;
	return count;
}

/* How the value at `at` of the text is told from the others there; false where it cannot be. */
static bool tell(struct iq_view text, size_t at, size_t len, struct iq_field *ret_field)
{
	const size_t nth = at == 0 ? 0 : occurrences(iq_view_make(text.data, at), text.data[at - 1]);

	*ret_field = (struct iq_field){ .nth = (uint16_t)nth, .to_end = at + len == text.len };
	if (at > 0)
		ret_field->before = (uint8_t)text.data[at - 1];
	if (!ret_field->to_end)
		ret_field->after = (uint8_t)text.data[at + len];
	return nth <= IQ_FIELD_MAX_NTH && (ret_field->to_end || !memchr(text.data + at, ret_field->after, len));
}

static size_t add_candidates(struct iq_field_guess *guess, struct iq_view value, struct iq_view text,
			     enum iq_field_source source)
{
	size_t at = 0, added = 0;

	while (text.len <= MAX_SOURCE && added < MAX_NEW && guess->count < IQ_FIELD_MAX_CANDIDATES) {
		struct iq_field_candidate *candidate = &guess->candidates[guess->count];
		const size_t next = iq_view_find(iq_view_from(text, at), value);

		if (next == SIZE_MAX)
			break;
		at += next;
		if (tell(text, at, value.len, &candidate->field)) {
			candidate->source = source;
			candidate->hits = 1;
			guess->count++;
			added++;
		}
		at++;
	}
	return added;
}

/* The places that the value is at gain, and if there is none those where it stands are new ones. */
void iq_field_weigh(struct iq_field_guess *guess, struct iq_view value, const struct iq_view sources[IQ_FIELD_SOURCES])
{
	bool found = value.len == 0;

	for (size_t i = 0; i < guess->count && value.len > 0; i++)
		if (is_there(&guess->candidates[i], value, sources)) {
			guess->candidates[i].hits++;
			found = true;
		}
	for (unsigned source = 0; source < IQ_FIELD_SOURCES && !found; source++)
		found = add_candidates(guess, value, sources[source], (enum iq_field_source)source) > 0;
}

const struct iq_field_candidate *iq_field_best(const struct iq_field_guess *guess)
{
	const struct iq_field_candidate *best = NULL;

	for (size_t i = 0; i < guess->count; i++)
		if (!best || guess->candidates[i].hits > best->hits)
			best = &guess->candidates[i];
	return best;
}

static const struct form *form_of(const struct iq_fields *fields, const struct values *values)
{
	const uint64_t *number =
		iq_map_get(&fields->numbers, iq_view_make((const char *)&values->form, sizeof(values->form)));
	const struct form *form = number ? &fields->forms[*number] : NULL;

	return form && form->count == values->count ? form : NULL;
}

static int add_form(struct iq_fields *fields, const struct values *values)
{
	const struct iq_view key = iq_view_make((const char *)&values->form, sizeof(values->form));
	const size_t number = fields->numbers.count;
	uint32_t index;
	int rc = number < MAX_FORMS ? iq_map_intern(&fields->numbers, key, &index) : 0;

	if (rc <= 0)
		return rc;
	if (IQ_ARRAY_GROW(fields->forms, fields->form_capacity, number + 1) < 0)
		return IQ_ERR_NOMEM;
	fields->forms[number] =
		(struct form){ .members = iq_arena_calloc(&fields->memory, values->count, sizeof(struct member)),
			       .count = values->count };
	return fields->forms[number].members ? 0 : IQ_ERR_NOMEM;
}

static void learn_value(struct member *member, struct iq_view value, const struct iq_view sources[IQ_FIELD_SOURCES])
{
	member->bytes += value.len;
	iq_field_weigh(&member->guess, value, sources);
}

int iq_fields_learn(struct iq_fields *fields, struct iq_view json, const struct iq_view sources[IQ_FIELD_SOURCES])
{
	struct values values;
	struct form *form;

	if (!find_values(json, &values))
		return 0;
	if (add_form(fields, &values) < 0)
		return IQ_ERR_NOMEM;
	form = (struct form *)(uintptr_t)form_of(fields, &values);
	if (!form)
		return 0;
	form->texts++;
	for (size_t i = 0; i < form->count; i++)
		learn_value(&form->members[i], view_of(json, &values.list[i]), sources);
	return 0;
}

unsigned iq_fields_choose(struct iq_fields *fields)
{
	uint64_t all = 0, chosen = 0;

	for (size_t i = 0; i < fields->numbers.count; i++)
		for (size_t j = 0; j < fields->forms[i].count; j++) {
			struct member *member = &fields->forms[i].members[j];
			const struct iq_field_candidate *best = iq_field_best(&member->guess);

			/* What holds for less than every other text is chance. */
			member->chosen = best && best->hits * 2 > fields->forms[i].texts ? best : NULL;
			all += member->bytes;
			chosen += member->chosen ? member->bytes : 0;
		}
	return all ? (unsigned)(chosen * 100 / all) : 0;
}

size_t iq_fields_find(const struct iq_fields *fields, struct iq_view json,
		      const struct iq_view sources[IQ_FIELD_SOURCES],
		      struct iq_found_field ret_found[IQ_FIELDS_MAX_VALUES])
{
	struct values values;
	const struct form *form = find_values(json, &values) ? form_of(fields, &values) : NULL;
	size_t count = 0;

	for (size_t i = 0; form && i < form->count; i++) {
		const struct iq_field_candidate *chosen = form->members[i].chosen;
		const struct value *value = &values.list[i];

		if (chosen && value->len > 0 && is_there(chosen, view_of(json, value), sources))
			ret_found[count++] =
				(struct iq_found_field){ value->at, value->len, chosen->source, &chosen->field };
	}
	return count;
}
