/* store/schema.h - the tables of a segment. A segment whose schema differs from this in any character is refused.
 * docs/format.md says what the columns mean.
 */
#ifndef IQ_STORE_SCHEMA_H
#define IQ_STORE_SCHEMA_H

struct iq_schema_table {
	const char *name;
	const char *create; /* as SQLite keeps it in sqlite_schema.sql */
	const char *
		covered; /* SELECT over what its leaf of the segment's tree covers, in a fixed order; NULL: it has none */
};

/* The leaves of the tree whose root stands for the segment, in this order; so are the tables. */
enum iq_leaf {
	IQ_LEAF_META,
	IQ_LEAF_SOURCES,
	IQ_LEAF_SESSIONS,
	IQ_LEAF_EVIDENCE,
	IQ_LEAF_GAPS,
	IQ_LEAF_TEMPLATES,
	IQ_LEAF_RAW,
	IQ_LEAF_CHUNKS,
	IQ_LEAF_COUNT
};

/* Ended by a NULL name. Static. */
const struct iq_schema_table *iq_schema_tables(void);

#endif
