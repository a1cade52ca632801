#include "ingest/attached.h"

#define MESSAGES_DIGITS 32
#define CONTENT_DIGITS 40
/* Of the name of a file as many digits as tell it from others. */
#define SHORT_NAME 12

void iq_attached_session(struct iq_view file, struct iq_buf *name)
{
	struct iq_view base = iq_view_take_last(&file, '/');
	size_t len = 0;

	while (len < base.len && len < SHORT_NAME && base.data[len] != '.')
		len++;
	(void)iq_buf_append_cstr(name, "ws ");
	(void)iq_buf_append(name, iq_view_make(base.data, len));
}

/* `trace.zip!` is called `trace`. */
static struct iq_view without_archive(struct iq_view name)
{
	if (!iq_view_ends_with(name, IQ_LIT("!")))
		return name;
	name.len--;
	for (size_t i = name.len; i-- > 1;)
		if (name.data[i] == '.')
			return iq_view_make(name.data, i);
	return name;
}

/* The name of the directory, or NULL. */
static struct iq_view directory_of(struct iq_view path)
{
	(void)iq_view_take_last(&path, '/');
	return iq_view_take_last(&path, '/');
}

void iq_attached_source(struct iq_view har, struct iq_view file, struct iq_buf *source)
{
	struct iq_view name = directory_of(file);

	if (name.len == 0)
		name = directory_of(har);
	name = without_archive(name);
	if (name.len == 0 || iq_view_eq(name, IQ_LIT(".")) || iq_view_eq(name, IQ_LIT("..")))
		name = IQ_LIT("har");
	(void)iq_buf_append(source, name);
}

static size_t hex_digits(struct iq_view text)
{
	size_t len = 0;

	while (len < text.len &&
	       ((text.data[len] >= '0' && text.data[len] <= '9') || (text.data[len] >= 'a' && text.data[len] <= 'f')))
		len++;
	return len;
}

enum iq_attached iq_attached_of(struct iq_view path)
{
	const struct iq_view name = iq_view_take_last(&path, '/');
	const size_t digits = hex_digits(name);
	const struct iq_view extension = iq_view_from(name, digits);

	if (digits == MESSAGES_DIGITS && iq_view_eq(extension, IQ_LIT(".jsonl")))
		return IQ_ATTACHED_MESSAGES;
	if (digits == CONTENT_DIGITS && extension.len > 1 && extension.data[0] == '.' &&
	    iq_view_find(iq_view_from(extension, 1), IQ_LIT(".")) == SIZE_MAX && !iq_view_eq(extension, IQ_LIT(".log")))
		return IQ_ATTACHED_CONTENT;
	return IQ_ATTACHED_NOT;
}
