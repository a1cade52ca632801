#include "store/schema.h"

#include <stddef.h>

static const struct iq_schema_table tables[] = {
	{ "meta", "CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
	  "SELECT name, value FROM meta WHERE name NOT IN ('root', 'leaves') ORDER BY name" },
	{ "sources",
	  "CREATE TABLE sources(no INTEGER PRIMARY KEY, name TEXT NOT NULL, events INTEGER NOT NULL, first INTEGER, "
	  "last INTEGER)",
	  "SELECT no, name, events, first, last FROM sources ORDER BY no" },
	{ "sessions",
	  "CREATE TABLE sessions(no INTEGER PRIMARY KEY, source INTEGER NOT NULL, name TEXT NOT NULL, started INTEGER, "
	  "ended INTEGER, "
	  "events INTEGER NOT NULL, start_seen INTEGER NOT NULL, end_seen INTEGER NOT NULL, state TEXT NOT NULL, "
	  "first_event INTEGER NOT NULL, last_event INTEGER NOT NULL)",
	  "SELECT no, source, name, started, ended, events, start_seen, end_seen, state, first_event, last_event FROM "
	  "sessions "
	  "ORDER BY no" },
	{ "evidence",
	  "CREATE TABLE evidence(no INTEGER PRIMARY KEY, path TEXT NOT NULL, format TEXT NOT NULL, \"offset\" INTEGER NOT "
	  "NULL, bytes INTEGER NOT NULL, accounted INTEGER NOT NULL, records INTEGER NOT NULL, gaps INTEGER NOT NULL, "
	  "sha256 BLOB NOT NULL, marks BLOB NOT NULL, settled INTEGER NOT NULL, restart INTEGER NOT NULL, lines INTEGER "
	  "NOT NULL, first_event INTEGER NOT NULL, last_event INTEGER NOT NULL, last_ts INTEGER, ended INTEGER NOT NULL, "
	  "dropped INTEGER NOT NULL, redacted TEXT, covers_from INTEGER, covers_to INTEGER)",
	  "SELECT no, path, format, \"offset\", bytes, accounted, records, gaps, sha256, marks, settled, restart, lines, "
	  "first_event, last_event, last_ts, ended, dropped, redacted, covers_from, covers_to FROM evidence ORDER BY no" },
	{ "gaps",
	  "CREATE TABLE gaps(id INTEGER PRIMARY KEY, evidence INTEGER NOT NULL, source TEXT, session INTEGER, "
	  "direction INTEGER NOT NULL, "
	  "after INTEGER NOT NULL, before INTEGER NOT NULL, ts_min INTEGER, ts_max INTEGER, \"offset\" INTEGER NOT "
	  "NULL, "
	  "bytes INTEGER NOT NULL, count INTEGER, reason TEXT NOT NULL)",
	  "SELECT id, evidence, source, session, direction, after, before, ts_min, ts_max, \"offset\", bytes, count, "
	  "reason FROM gaps "
	  "ORDER BY id" },
	{ "templates",
	  "CREATE TABLE templates(id INTEGER PRIMARY KEY, text TEXT NOT NULL, count INTEGER NOT NULL, first INTEGER, "
	  "last INTEGER)",
	  "SELECT id, text, count, first, last FROM templates ORDER BY id" },
	{ "raw",
	  "CREATE TABLE raw(id INTEGER PRIMARY KEY, evidence INTEGER NOT NULL, \"offset\" INTEGER NOT NULL, size "
	  "INTEGER NOT NULL, "
	  "sha256 BLOB NOT NULL, data BLOB NOT NULL)",
	  "SELECT id, evidence, \"offset\", size, sha256 FROM raw ORDER BY id" },
	{ "chunks",
	  "CREATE TABLE chunks(id INTEGER PRIMARY KEY, rows INTEGER NOT NULL, id_first INTEGER NOT NULL, ts_min "
	  "INTEGER, ts_max INTEGER, "
	  "ts_nulls INTEGER NOT NULL, length_min INTEGER NOT NULL, length_max INTEGER NOT NULL, length_sum INTEGER NOT "
	  "NULL, kinds INTEGER NOT NULL, sources BLOB NOT NULL, sessions BLOB NOT NULL, types BLOB NOT NULL, evidence "
	  "BLOB NOT NULL, hashes BLOB NOT NULL)",
	  "SELECT id, rows, id_first, ts_min, ts_max, ts_nulls, length_min, length_max, length_sum, kinds, sources, "
	  "sessions, types, evidence, hashes FROM chunks ORDER BY id" },
	{ "columns", "CREATE TABLE columns(id INTEGER PRIMARY KEY, data BLOB NOT NULL)", NULL },
	{ NULL, NULL, NULL },
};

const struct iq_schema_table *iq_schema_tables(void)
{
	return tables;
}
