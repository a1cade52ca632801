#include "base/preset.h"

#include "base/base.h"

const struct iq_preset *iq_preset_find(const struct iq_preset *presets, const char *name, struct iq_error *error)
{
	char known[400] = "";

	for (const struct iq_preset *preset = presets; preset->name; preset++) {
		if (strcmp(preset->name, name) == 0)
			return preset;
		strncat(known, preset == presets ? "" : ", ", sizeof(known) - strlen(known) - 1);
		strncat(known, preset->name, sizeof(known) - strlen(known) - 1);
	}
	(void)iq_error_set(error, IQ_ERR_SPEC, "preset:%s: no such preset; there are %s", name, known);
	return NULL;
}
