#include "base/view.h"

#include <errno.h>
#include <stdlib.h>

int iq_view_cmp(struct iq_view a, struct iq_view b)
{
	size_t shared = a.len < b.len ? a.len : b.len;
	int order = shared ? memcmp(a.data, b.data, shared) : 0;

	if (order != 0)
		return order;
	return (a.len > b.len) - (a.len < b.len);
}

bool iq_view_starts_with(struct iq_view view, struct iq_view prefix)
{
	return view.len >= prefix.len && iq_view_eq(iq_view_make(view.data, prefix.len), prefix);
}

bool iq_view_ends_with(struct iq_view view, struct iq_view suffix)
{
	return view.len >= suffix.len && iq_view_eq(iq_view_from(view, view.len - suffix.len), suffix);
}

struct iq_view iq_view_take_last(struct iq_view *view, char separator)
{
	const char *at = view->len ? memrchr(view->data, separator, view->len) : NULL;
	const size_t before = at ? (size_t)(at - view->data) : 0;
	const struct iq_view last = iq_view_from(*view, at ? before + 1 : 0);

	view->len = before;
	return last;
}

size_t iq_view_find(struct iq_view view, struct iq_view needle)
{
	const char *hit;

	if (needle.len == 0)
		return 0;
	if (view.len < needle.len)
		return SIZE_MAX;
	hit = memmem(view.data, view.len, needle.data, needle.len);
	return hit ? (size_t)(hit - view.data) : SIZE_MAX;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct iq_view iq_view_trim(struct iq_view view)
{
	while (view.len > 0 && is_space(view.data[0]))
		view = iq_view_from(view, 1);
	while (view.len > 0 && is_space(view.data[view.len - 1]))
		view.len--;
	return view;
}

bool iq_view_to_int64(struct iq_view view, int64_t *ret_value)
{
	const bool negative = view.len > 0 && view.data[0] == '-';
	size_t i = negative;
	int64_t value = 0;

	if (i == view.len)
		return false;
	for (; i < view.len; i++) {
		const int digit = view.data[i] - '0';

		if (digit < 0 || digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_sub_overflow(value, digit, &value))
			return false;
	}
	if (!negative && value == INT64_MIN)
		return false;
	*ret_value = negative ? value : -value;
	return true;
}

bool iq_view_to_double(struct iq_view view, double *ret_value)
{
	char text[64];
	char *end;
	double value;

	if (view.len == 0 || view.len >= sizeof(text) || is_space(view.data[0]))
		return false;
	memcpy(text, view.data, view.len);
	text[view.len] = '\0';
	value = strtod(text, &end);
	if (end != text + view.len || value != value)
		return false;
	*ret_value = value;
	return true;
}
