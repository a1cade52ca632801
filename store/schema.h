/* store/schema.h - the tables of a segment. A segment whose schema differs from this in any character is refused.
 * docs/format.md says what the columns mean.
 */
#ifndef IQ_STORE_SCHEMA_H
#define IQ_STORE_SCHEMA_H

struct iq_schema_table {
	const char *name;
	const char *create;  /* as SQLite keeps it in sqlite_schema.sql */
	const char *covered; /* SELECT over what the segment's root hash covers, in a fixed order */
};

/* Ended by a NULL name. Static. */
const struct iq_schema_table *iq_schema_tables(void);

#endif
