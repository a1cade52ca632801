#include <stdlib.h>

#include "query/sql_module.h"

/* Longer texts, and more of them, are copied each time they are shown. */
#define MAX_KEPT_BYTES 256u
#define MAX_KEPT (1u << 18)
/* Sessions are numbered from 1: their names lie in pages, made when one of theirs is shown. */
#define PAGE_NAMES 1024u
#define MAX_PAGES 8192u

struct session_name {
	char text[IQ_SESSION_NAME_SIZE];
	uint8_t begin;
};

struct iq_sql_names {
	struct iq_map kept;
	struct session_name *pages[MAX_PAGES];
};

struct iq_sql_names *iq_sql_names_new(void)
{
	return calloc(1, sizeof(struct iq_sql_names));
}

void iq_sql_names_free(struct iq_sql_names *names)
{
	if (!names)
		return;
	iq_map_release(&names->kept);
	for (size_t i = 0; i < MAX_PAGES; i++)
		free(names->pages[i]);
	free(names);
}

struct iq_view iq_sql_names_keep(struct iq_sql_names *names, struct iq_view text)
{
	uint32_t index;

	if (!text.data || text.len > MAX_KEPT_BYTES ||
	    (names->kept.count >= MAX_KEPT && !iq_map_get(&names->kept, text)) ||
	    iq_map_intern(&names->kept, text, &index) < 0)
		return IQ_VIEW_NULL;
	return names->kept.entries[index].key;
}

static struct session_name *make_page(uint32_t page)
{
	struct session_name *names = calloc(PAGE_NAMES, sizeof(*names));

	for (uint32_t i = 0; names && i < PAGE_NAMES; i++)
		names[i].begin = (uint8_t)(iq_session_name(page * PAGE_NAMES + i, names[i].text).data - names[i].text);
	return names;
}

struct iq_view iq_sql_names_session(struct iq_sql_names *names, uint32_t no)
{
	const uint32_t page = no / PAGE_NAMES;
	const struct session_name *name;

	if (page >= MAX_PAGES)
		return IQ_VIEW_NULL;
	if (!names->pages[page])
		names->pages[page] = make_page(page);
	if (!names->pages[page])
		return IQ_VIEW_NULL;
	name = &names->pages[page][no % PAGE_NAMES];
	return iq_view_make(name->text + name->begin, (size_t)(IQ_SESSION_NAME_SIZE - name->begin));
}
