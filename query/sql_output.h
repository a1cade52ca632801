/* query/sql_output.h - rows as a table, CSV, JSON, NDJSON or Markdown. Every cell is made safe for its format: nothing
 * that came from evidence can move a cursor, end a field or become a formula.
 */
#ifndef IQ_QUERY_SQL_OUTPUT_H
#define IQ_QUERY_SQL_OUTPUT_H

#include "query/query.h"

/* Rows that are looked at to find the widths of a table's columns; later ones are fitted into them. */
#define IQ_SQL_TABLE_SAMPLE 500
/* Columns on the terminal that one cell of a table may take; longer ones are cut, and say how long they were. */
#define IQ_SQL_TABLE_CELL 100

enum iq_cell_type { IQ_CELL_NULL, IQ_CELL_NUMBER, IQ_CELL_TEXT, IQ_CELL_BLOB };

struct iq_cell {
	enum iq_cell_type type;
	struct iq_view text; /* numbers as they print */
};

struct iq_sql_output;

/* Caller owns; release with iq_sql_output_free(). NULL when memory is out. */
struct iq_sql_output *iq_sql_output_new(enum iq_sql_format format, int (*write)(void *context, struct iq_view text),
					void *context);
void iq_sql_output_free(struct iq_sql_output *output);
/* A result begins: the names of its columns. Each returns 0 or negative. */
int iq_sql_output_begin(struct iq_sql_output *output, const struct iq_view *names, size_t count);
int iq_sql_output_row(struct iq_sql_output *output, const struct iq_cell *cells);
int iq_sql_output_end(struct iq_sql_output *output);

#endif
