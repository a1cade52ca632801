/* base/preset.h - YAML files that are built into the program: presets/ and presets/extract/, made into tables by tools/embed-presets.
 */
#ifndef IQ_BASE_PRESET_H
#define IQ_BASE_PRESET_H

#include <inquest/base.h>

/* A table ends with a NULL name. Static. */
struct iq_preset {
	const char *name;
	const char *summary; /* one line */
	const char *
		fits; /* types of events, a space between, one of which says that it is wanted; NULL: it is taken by name only */
	const char *text;
};

/* The one of this name; NULL, with IQ_ERR_SPEC set and the others named, where there is none. Static. */
const struct iq_preset *iq_preset_find(const struct iq_preset *presets, const char *name, struct iq_error *error);

#endif
