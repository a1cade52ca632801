#include "query/unchecked.h"

static int refuse(const struct iq_lifecycle *lifecycle, const struct iq_yaml *place, const char *what,
		  struct iq_error *error)
{
	return iq_yaml_error(error, lifecycle->file, place, "%s are understood, but this version does not check them",
			     what);
}

int iq_spec_refuse_unchecked(const struct iq_spec *spec, struct iq_error *error)
{
	static const char *const kinds[] = {
		[IQ_RULE_CONSTRAINT] = "constraints", [IQ_RULE_WITHIN] = "deadlines",	[IQ_RULE_IDLE] = "pauses",
		[IQ_RULE_TOTAL] = "total times",      [IQ_RULE_SEQUENCE] = "sequences",
	};

	for (const struct iq_lifecycle *lifecycle = spec->first; lifecycle; lifecycle = lifecycle->next) {
		if (lifecycle->nested)
			return refuse(lifecycle, lifecycle->place, "nested lifecycles", error);
		if (lifecycle->costs)
			return refuse(lifecycle, lifecycle->place, "costs", error);
		for (size_t i = 1; i < lifecycle->rule_count; i++)
			return refuse(lifecycle, lifecycle->rules[i].place, kinds[lifecycle->rules[i].kind], error);
	}
	return 0;
}
