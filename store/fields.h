/* store/fields.h - values of a JSON text that stand in another text as well: where they stand there. Free of I/O.
 *
 *	text    10.0.0.7 - - "GET /cart HTTP/1.1" 200 512
 *	attrs   {"url":"/cart","status":200,"client":"10.0.0.7"}
 *
 * A field is what stands behind the n-th byte of one value and before the next byte of another: of the line above `client` is what ends at the first
 * space, `url` what is behind its fourth one. Where each value of a form of texts stands is learned from a sample and holds for most
 * texts, not for all: whoever uses a field compares what it gives.
 */
#ifndef IQ_STORE_FIELDS_H
#define IQ_STORE_FIELDS_H

#include <inquest/base.h>

/* Further values of a text are not looked for. */
#define IQ_FIELDS_MAX_VALUES 64u
/* A field lies behind no more bytes of its kind. */
#define IQ_FIELD_MAX_NTH 999u

struct iq_field {
	uint16_t nth;	/* 0: it begins where the text does */
	uint8_t before; /* its n-th byte of this value is the one before the field */
	uint8_t after;
	bool to_end; /* instead of `after` */
};

/* False where the text has no such place. */
bool iq_field_find(const struct iq_field *field, struct iq_view text, struct iq_view *ret_value);

/* The texts that the values of a JSON text are looked for in. */
enum iq_field_source { IQ_FIELD_OF_BODY, IQ_FIELD_OF_RAW, IQ_FIELD_SOURCES };

/* A value that is a field. */
struct iq_found_field {
	uint32_t at; /* in the JSON text */
	uint32_t len;
	enum iq_field_source source;
	const struct iq_field *field; /* Borrowed until the fields are released. */
};

/* Where one value stands in each of several texts: fed a sample of them. Begin with zeros. */
struct iq_field_candidate {
	struct iq_field field;
	enum iq_field_source source;
	uint32_t hits;
};
#define IQ_FIELD_MAX_CANDIDATES 24u
struct iq_field_guess {
	struct iq_field_candidate candidates[IQ_FIELD_MAX_CANDIDATES];
	size_t count;
};
void iq_field_weigh(struct iq_field_guess *guess, struct iq_view value, const struct iq_view sources[IQ_FIELD_SOURCES]);
/* What held most often; NULL: nothing. Borrowed: from the guess. */
const struct iq_field_candidate *iq_field_best(const struct iq_field_guess *guess);

struct iq_fields;
/* NULL when memory is out. Caller owns; release with iq_fields_free(). */
struct iq_fields *iq_fields_new(void);
void iq_fields_free(struct iq_fields *fields);
/* One text of the sample. IQ_ERR_NOMEM. */
int iq_fields_learn(struct iq_fields *fields, struct iq_view json, const struct iq_view sources[IQ_FIELD_SOURCES]);
/* To be called once behind the sample: which share of its values are fields, in hundredths of their bytes. */
unsigned iq_fields_choose(struct iq_fields *fields);
/* The fields among the values of `json`, in order; how many. */
size_t iq_fields_find(const struct iq_fields *fields, struct iq_view json,
		      const struct iq_view sources[IQ_FIELD_SOURCES],
		      struct iq_found_field ret_found[IQ_FIELDS_MAX_VALUES]);

#endif
