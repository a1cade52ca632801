#include "query/sql_output.h"

#include <stdlib.h>

/* How a format writes. */
struct writer {
	int (*begin)(struct iq_sql_output *output);
	int (*row)(struct iq_sql_output *output, const struct iq_cell *cells);
	int (*end)(struct iq_sql_output *output);
};

struct iq_sql_output {
	const struct writer *writer;
	int (*write)(void *context, struct iq_view text);
	void *context;
	struct iq_arena memory; /* of one result */
	struct iq_cell *names;
	size_t columns;
	size_t *widths;
	bool *numeric;
	uint64_t rows;
	struct iq_cell **sample; /* tables: rows kept until the widths are known */
	size_t sample_count;
	bool sampled;
	struct iq_buf buf;
	struct iq_buf cell;
};

static int flush(struct iq_sql_output *output)
{
	int rc = output->buf.failed ? IQ_ERR_NOMEM : output->write(output->context, iq_buf_view(&output->buf));

	iq_buf_clear(&output->buf);
	return rc;
}

static void append_hex(struct iq_buf *buf, struct iq_view bytes)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < bytes.len; i++) {
		(void)iq_buf_append_char(buf, digits[(unsigned char)bytes.data[i] >> 4]);
		(void)iq_buf_append_char(buf, digits[bytes.data[i] & 15]);
	}
}

/* ---- Tables ---- */

/* Into output->cell: safe for a terminal and not too wide. */
static struct iq_view printable(struct iq_sql_output *output, const struct iq_cell *cell)
{
	struct iq_view shown = iq_utf8_cut(cell->text, IQ_SQL_TABLE_CELL * 4);

	iq_buf_clear(&output->cell);
	if (cell->type == IQ_CELL_BLOB)
		append_hex(&output->cell,
			   iq_view_make(shown.data,
					shown.len > IQ_SQL_TABLE_CELL / 2 ? IQ_SQL_TABLE_CELL / 2 : shown.len));
	else if (cell->type != IQ_CELL_NULL)
		(void)iq_utf8_append_safe(&output->cell, shown);
	if (output->cell.len > IQ_SQL_TABLE_CELL && iq_utf8_width(iq_buf_view(&output->cell)) > IQ_SQL_TABLE_CELL) {
		output->cell.len = iq_utf8_cut(iq_buf_view(&output->cell), IQ_SQL_TABLE_CELL - 20).len;
		(void)iq_buf_appendf(&output->cell, "... (%zu bytes)", cell->text.len);
	}
	return iq_buf_view(&output->cell);
}

static void widen(struct iq_sql_output *output, const struct iq_cell *cells)
{
	for (size_t i = 0; i < output->columns; i++) {
		size_t width = iq_utf8_width(printable(output, &cells[i]));

		if (width > output->widths[i])
			output->widths[i] = width;
		if (cells[i].type == IQ_CELL_TEXT || cells[i].type == IQ_CELL_BLOB)
			output->numeric[i] = false;
	}
}

static void pad(struct iq_buf *buf, size_t from, size_t to)
{
	for (; from < to; from++)
		(void)iq_buf_append_char(buf, ' ');
}

static int print_table_row(struct iq_sql_output *output, const struct iq_cell *cells)
{
	for (size_t i = 0; i < output->columns; i++) {
		struct iq_view text = printable(output, &cells[i]);
		size_t width = iq_utf8_width(text);

		if (i > 0)
			(void)iq_buf_append_cstr(&output->buf, "  ");
		if (output->numeric[i])
			pad(&output->buf, width, output->widths[i]);
		(void)iq_buf_append(&output->buf, text);
		if (!output->numeric[i] && i + 1 < output->columns)
			pad(&output->buf, width, output->widths[i]);
	}
	(void)iq_buf_append_char(&output->buf, '\n');
	return flush(output);
}

static int print_sample(struct iq_sql_output *output)
{
	struct iq_cell *line = iq_arena_calloc(&output->memory, output->columns + 1, sizeof(*line));
	int rc;

	if (!line)
		return IQ_ERR_NOMEM;
	output->sampled = true;
	for (size_t i = 0; i < output->columns; i++) {
		char *dashes = iq_arena_alloc(&output->memory, output->widths[i] + 1);

		if (!dashes)
			return IQ_ERR_NOMEM;
		memset(dashes, '-', output->widths[i]);
		line[i] = (struct iq_cell){ IQ_CELL_TEXT, iq_view_make(dashes, output->widths[i]) };
	}
	rc = print_table_row(output, output->names);
	if (rc == 0)
		rc = print_table_row(output, line);
	for (size_t i = 0; i < output->sample_count && rc == 0; i++)
		rc = print_table_row(output, output->sample[i]);
	return rc;
}

static int table_begin(struct iq_sql_output *output)
{
	output->sample = iq_arena_calloc(&output->memory, IQ_SQL_TABLE_SAMPLE, sizeof(struct iq_cell *));
	if (!output->sample)
		return IQ_ERR_NOMEM;
	widen(output, output->names);
	for (size_t i = 0; i < output->columns; i++)
		output->numeric[i] = true;
	output->sample_count = 0;
	output->sampled = false;
	return 0;
}

static int table_row(struct iq_sql_output *output, const struct iq_cell *cells)
{
	struct iq_cell *copy;
	int rc = 0;

	if (!output->sampled && output->sample_count == IQ_SQL_TABLE_SAMPLE)
		rc = print_sample(output);
	if (output->sampled || rc < 0)
		return rc < 0 ? rc : print_table_row(output, cells);
	widen(output, cells);
	copy = iq_arena_calloc(&output->memory, output->columns + 1, sizeof(*copy));
	if (!copy)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < output->columns; i++)
		copy[i] = (struct iq_cell){ cells[i].type, iq_arena_copy(&output->memory, cells[i].text) };
	output->sample[output->sample_count++] = copy;
	return 0;
}

static int table_end(struct iq_sql_output *output)
{
	int rc = output->sampled ? 0 : print_sample(output);

	(void)iq_buf_appendf(&output->buf, "(%llu row%s)\n", (unsigned long long)output->rows,
			     output->rows == 1 ? "" : "s");
	return rc < 0 ? rc : flush(output);
}

/* ---- CSV (RFC 4180) ---- */

/* A spreadsheet takes such text for a formula: a quote before it makes it text. */
static bool looks_like_formula(struct iq_view text)
{
	return text.len > 0 && strchr("=+-@\t\r", text.data[0]);
}

static void append_csv(struct iq_buf *buf, const struct iq_cell *cell)
{
	if (cell->type == IQ_CELL_BLOB) {
		append_hex(buf, cell->text);
		return;
	}
	if (cell->type != IQ_CELL_TEXT) {
		(void)iq_buf_append(buf, cell->text);
		return;
	}
	(void)iq_buf_append_char(buf, '"');
	if (looks_like_formula(cell->text))
		(void)iq_buf_append_char(buf, '\'');
	for (size_t i = 0; i < cell->text.len; i++) {
		if (cell->text.data[i] == '"')
			(void)iq_buf_append_char(buf, '"');
		(void)iq_buf_append_char(buf, cell->text.data[i]);
	}
	(void)iq_buf_append_char(buf, '"');
}

static int csv_row(struct iq_sql_output *output, const struct iq_cell *cells)
{
	for (size_t i = 0; i < output->columns; i++) {
		if (i > 0)
			(void)iq_buf_append_char(&output->buf, ',');
		append_csv(&output->buf, &cells[i]);
	}
	(void)iq_buf_append_cstr(&output->buf, "\r\n");
	return flush(output);
}

static int csv_begin(struct iq_sql_output *output)
{
	return csv_row(output, output->names);
}

/* ---- JSON ---- */

static void append_object(struct iq_sql_output *output, const struct iq_cell *cells)
{
	struct iq_buf *buf = &output->buf;

	for (size_t i = 0; i < output->columns; i++) {
		(void)iq_buf_append_cstr(buf, i ? "," : "{");
		(void)iq_json_append_string(buf, output->names[i].text);
		(void)iq_buf_append_char(buf, ':');
		switch (cells[i].type) {
		case IQ_CELL_NULL:
			(void)iq_buf_append_cstr(buf, "null");
			break;
		case IQ_CELL_NUMBER:
			(void)iq_buf_append(buf, iq_json_valid(cells[i].text) ? cells[i].text : IQ_LIT("null"));
			break;
		case IQ_CELL_TEXT:
			(void)iq_json_append_string(buf, cells[i].text);
			break;
		case IQ_CELL_BLOB:
			(void)iq_buf_append_char(buf, '"');
			append_hex(buf, cells[i].text);
			(void)iq_buf_append_char(buf, '"');
			break;
		}
	}
	(void)iq_buf_append_cstr(buf, output->columns ? "}" : "{}");
}

static int json_row(struct iq_sql_output *output, const struct iq_cell *cells)
{
	(void)iq_buf_append_cstr(&output->buf, output->rows > 1 ? ",\n " : "[");
	append_object(output, cells);
	return flush(output);
}

static int json_end(struct iq_sql_output *output)
{
	(void)iq_buf_append_cstr(&output->buf, output->rows ? "]\n" : "[]\n");
	return flush(output);
}

static int ndjson_row(struct iq_sql_output *output, const struct iq_cell *cells)
{
	append_object(output, cells);
	(void)iq_buf_append_char(&output->buf, '\n');
	return flush(output);
}

/* ---- Markdown ---- */

static void append_markdown(struct iq_sql_output *output, const struct iq_cell *cell)
{
	struct iq_view safe;

	iq_buf_clear(&output->cell);
	if (cell->type == IQ_CELL_BLOB)
		append_hex(&output->cell, cell->text);
	else if (cell->type != IQ_CELL_NULL)
		(void)iq_utf8_append_safe(&output->cell, cell->text);
	safe = iq_buf_view(&output->cell);
	for (size_t i = 0; i < safe.len; i++) {
		if (strchr("|\\`*_<>&[]", safe.data[i]) && cell->type == IQ_CELL_TEXT)
			(void)iq_buf_append_char(&output->buf, '\\');
		(void)iq_buf_append_char(&output->buf, safe.data[i]);
	}
}

static int markdown_row(struct iq_sql_output *output, const struct iq_cell *cells)
{
	for (size_t i = 0; i < output->columns; i++) {
		(void)iq_buf_append_cstr(&output->buf, i ? " | " : "| ");
		append_markdown(output, &cells[i]);
	}
	(void)iq_buf_append_cstr(&output->buf, " |\n");
	return flush(output);
}

static int markdown_begin(struct iq_sql_output *output)
{
	int rc = markdown_row(output, output->names);

	for (size_t i = 0; i < output->columns; i++)
		(void)iq_buf_append_cstr(&output->buf, i ? " --- |" : "| --- |");
	(void)iq_buf_append_char(&output->buf, '\n');
	return rc < 0 ? rc : flush(output);
}

static int nothing(struct iq_sql_output *output)
{
	(void)output;
	return 0;
}

static const struct writer writers[] = {
	[IQ_SQL_TABLE] = { table_begin, table_row, table_end },
	[IQ_SQL_CSV] = { csv_begin, csv_row, nothing },
	[IQ_SQL_JSON] = { nothing, json_row, json_end },
	[IQ_SQL_NDJSON] = { nothing, ndjson_row, nothing },
	[IQ_SQL_MARKDOWN] = { markdown_begin, markdown_row, nothing },
};

/* ---- The whole ---- */

struct iq_sql_output *iq_sql_output_new(enum iq_sql_format format, int (*write)(void *context, struct iq_view text),
					void *context)
{
	struct iq_sql_output *output = calloc(1, sizeof(*output));

	if (output) {
		output->writer = &writers[format];
		output->write = write;
		output->context = context;
	}
	return output;
}

void iq_sql_output_free(struct iq_sql_output *output)
{
	if (!output)
		return;
	iq_arena_release(&output->memory);
	iq_buf_release(&output->buf);
	iq_buf_release(&output->cell);
	free(output);
}

int iq_sql_output_begin(struct iq_sql_output *output, const struct iq_view *names, size_t count)
{
	iq_arena_clear(&output->memory);
	output->rows = 0;
	output->columns = count;
	output->names = iq_arena_calloc(&output->memory, count + 1, sizeof(*output->names));
	output->widths = iq_arena_calloc(&output->memory, count + 1, sizeof(*output->widths));
	output->numeric = iq_arena_calloc(&output->memory, count + 1, sizeof(*output->numeric));
	if (!output->names || !output->widths || !output->numeric)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < count; i++)
		output->names[i] = (struct iq_cell){ IQ_CELL_TEXT, iq_arena_copy(&output->memory, names[i]) };
	return output->writer->begin(output);
}

int iq_sql_output_row(struct iq_sql_output *output, const struct iq_cell *cells)
{
	output->rows++;
	return output->writer->row(output, cells);
}

int iq_sql_output_end(struct iq_sql_output *output)
{
	return output->writer->end(output);
}
