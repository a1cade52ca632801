#include "cli/minimize.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* How often the whole case is run to see whether it always fails, and each part of one that does not. */
#define REPEATS 3

/* Events that go together: one message of the client's with its answers, or one of the server's alone. */
struct unit {
	uint64_t first;
	uint64_t last;
};

struct shrinking {
	struct cli *cli;
	struct iq_store *store;
	struct iq_replay_options options;
	uint32_t session;
	const char *kind; /* of the first difference, or the outcome: what counts as the same failure */
	char directory[64];
	struct unit *units;
	size_t unit_count;
	size_t unit_capacity;
	uint64_t *gone; /* ids that are left out already */
	size_t gone_count;
	size_t gone_capacity;
	unsigned runs;
	unsigned repeats; /* of each part */
	int64_t deadline;
	struct iq_error error;
};

static const char *failure_of(const struct iq_lived *lived)
{
	for (size_t i = 0; i < lived->difference_count; i++)
		if (lived->differences[i].is_judged)
			return lived->differences[i].kind;
	return lived->outcome == IQ_REPLAY_DONE ? "lifecycle" : iq_replay_outcome_name(lived->outcome);
}

/* ---- One try ---- */

static int by_id(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int write_part(struct shrinking *shrinking, const char *note, const char *path)
{
	struct iq_excerpt excerpt = { .sessions = &shrinking->session, .session_count = 1, .note = note };
	uint64_t *beside;
	size_t count;
	int rc = iq_session_beside(shrinking->store, shrinking->session, &beside, &count, &shrinking->error);

	if (rc < 0)
		return rc;
	excerpt.beside = beside;
	excerpt.beside_count = count;
	if (shrinking->gone_count > 0)
		qsort(shrinking->gone, shrinking->gone_count, sizeof(*shrinking->gone), by_id);
	excerpt.omitted = shrinking->gone;
	excerpt.omitted_count = shrinking->gone_count;
	rc = iq_store_excerpt(shrinking->store, &excerpt, path, &shrinking->error);
	free(beside);
	return rc;
}

static int judge_run(struct shrinking *shrinking, struct iq_replay *replay, const char *run)
{
	struct iq_check_result result;
	struct iq_store *store;
	int rc = iq_store_open(run, &store, &shrinking->error);

	if (rc < 0)
		return rc;
	if (cli_check(shrinking->cli, store, &result)) {
		rc = iq_replay_fold(replay, store, &result, NULL);
		iq_check_result_release(&result);
	}
	iq_store_close(store);
	return rc;
}

/* 1: it fails in the same way. */
static int run_part(struct shrinking *shrinking, const char *part, const char *run)
{
	struct iq_replay_options options = shrinking->options;
	struct iq_replay *replay;
	struct iq_store *store;
	size_t count;
	int rc = iq_store_open(part, &store, &shrinking->error);

	options.run_path = run;
	options.sessions = NULL;
	options.session_count = 0;
	options.supply_count = shrinking->options.supply_count;
	if (rc < 0)
		return rc;
	/* What has no message left to send does not fail. */
	rc = iq_replay_new(store, &options, &replay, &shrinking->error);
	if (rc < 0) {
		iq_error_clear(&shrinking->error);
		iq_store_close(store);
		return 0;
	}
	rc = iq_replay_run(replay, &shrinking->error);
	if (rc == 0)
		rc = judge_run(shrinking, replay, run);
	if (rc == 0) {
		const struct iq_lived *lived = iq_replay_sessions(replay, &count);

		rc = lived->verdict == IQ_VERDICT_VIOLATED && strcmp(failure_of(lived), shrinking->kind) == 0;
	}
	iq_replay_free(replay);
	iq_store_close(store);
	return rc;
}

static int try_once(struct shrinking *shrinking)
{
	char part[96], run[96];
	int rc;

	(void)snprintf(part, sizeof(part), "%s/%u.seg", shrinking->directory, shrinking->runs);
	(void)snprintf(run, sizeof(run), "%s/run%u", shrinking->directory, shrinking->runs++);
	if (cli_stop || (shrinking->deadline && iq_clock_monotonic() > shrinking->deadline))
		return IQ_ERR_LIMIT;
	rc = write_part(shrinking, NULL, part);
	if (rc == 0)
		rc = run_part(shrinking, part, run);
	(void)unlink(part);
	(void)iq_file_remove_tree(run, NULL);
	return rc;
}

static int leave_out(struct shrinking *shrinking, const struct unit *unit)
{
	for (uint64_t id = unit->first; id <= unit->last; id++) {
		if (IQ_ARRAY_GROW(shrinking->gone, shrinking->gone_capacity, shrinking->gone_count + 1) < 0)
			return iq_error_nomem(&shrinking->error);
		shrinking->gone[shrinking->gone_count++] = id;
	}
	return 0;
}

/* A part of a case that fails only now and then is tried several times. */
static int fails(void *context, const bool *kept)
{
	struct shrinking *shrinking = context;
	const size_t before = shrinking->gone_count;
	uint64_t *saved = malloc((before + 1) * sizeof(*saved));
	int rc = saved ? 0 : iq_error_nomem(&shrinking->error);

	if (rc == 0 && before > 0)
		memcpy(saved, shrinking->gone, before * sizeof(*saved));
	for (size_t i = 0; i < shrinking->unit_count && rc == 0; i++)
		if (!kept[i])
			rc = leave_out(shrinking, &shrinking->units[i]);
	for (unsigned i = 0; i < shrinking->repeats && rc == 0; i++)
		rc = try_once(shrinking);
	if (saved && before > 0)
		memcpy(shrinking->gone, saved, before * sizeof(*saved));
	shrinking->gone_count = before;
	free(saved);
	return rc;
}

/* ---- Units ---- */

static bool is_gone(const struct shrinking *shrinking, uint64_t id)
{
	return shrinking->gone_count > 0 && bsearch(&id, shrinking->gone, shrinking->gone_count, sizeof(id), by_id);
}

static int add_unit(struct shrinking *shrinking, uint64_t id)
{
	if (IQ_ARRAY_GROW(shrinking->units, shrinking->unit_capacity, shrinking->unit_count + 1) < 0)
		return iq_error_nomem(&shrinking->error);
	shrinking->units[shrinking->unit_count++] = (struct unit){ id, id };
	return 0;
}

/* Each message of the client's with what follows it up to the next one; or each message of the server's. */
static int find_units(struct shrinking *shrinking, bool of_client)
{
	struct iq_filter filter = IQ_FILTER_INIT;
	struct iq_cursor *cursor;
	struct iq_event event;
	int rc;

	shrinking->unit_count = 0;
	filter.sessions = &shrinking->session;
	filter.session_count = 1;
	filter.kinds = 1u << IQ_KIND_WS_MESSAGE;
	rc = iq_cursor_open(shrinking->store, &filter, &cursor, &shrinking->error);
	if (rc < 0)
		return rc;
	while ((rc = iq_cursor_next(cursor, &event, &shrinking->error)) > 0) {
		const bool begins = (event.direction == IQ_DIRECTION_CLIENT) == of_client;

		if (is_gone(shrinking, event.id))
			continue;
		if (begins)
			rc = add_unit(shrinking, event.id);
		else if (of_client && shrinking->unit_count > 0)
			shrinking->units[shrinking->unit_count - 1].last = event.id;
		if (rc < 0)
			break;
	}
	iq_cursor_close(cursor);
	return rc;
}

static int shrink(struct shrinking *shrinking, bool of_client)
{
	int rc = find_units(shrinking, of_client);
	bool *kept = calloc(shrinking->unit_count + 1, sizeof(*kept));

	if (rc == 0 && !kept)
		rc = iq_error_nomem(&shrinking->error);
	for (size_t i = 0; i < shrinking->unit_count && rc == 0; i++)
		kept[i] = true;
	if (rc == 0)
		rc = iq_minimize(kept, shrinking->unit_count, fails, shrinking);
	for (size_t i = 0; (rc == 0 || rc == IQ_ERR_LIMIT) && i < shrinking->unit_count; i++)
		if (!kept[i] && leave_out(shrinking, &shrinking->units[i]) < 0)
			rc = IQ_ERR_NOMEM;
	free(kept);
	if (shrinking->gone_count > 0)
		qsort(shrinking->gone, shrinking->gone_count, sizeof(*shrinking->gone), by_id);
	return rc;
}

/* ---- The whole ---- */

/* How often does the whole session fail when it is run alone? */
static int measure(struct shrinking *shrinking, unsigned *ret_failed)
{
	*ret_failed = 0;
	for (unsigned i = 0; i < REPEATS; i++) {
		const int rc = try_once(shrinking);

		if (rc < 0)
			return rc;
		*ret_failed += rc > 0;
	}
	return 0;
}

static size_t count_messages(struct shrinking *shrinking, bool of_client)
{
	return find_units(shrinking, of_client) < 0 ? 0 : shrinking->unit_count;
}

static void write_result(struct shrinking *shrinking, const char *path, unsigned failed, size_t before, bool whole)
{
	char note[512];
	const size_t client = count_messages(shrinking, true), server = count_messages(shrinking, false);

	(void)snprintf(note, sizeof(note),
		       "minimized from s%" PRIu32
		       ": %zu of %zu messages fail in the same way (%s); found in %u runs against %s%s%s",
		       shrinking->session, client + server, before, shrinking->kind, shrinking->runs,
		       shrinking->options.targets[0].url, whole ? "" : "; the budget ended the search",
		       failed < REPEATS ? "; it does not fail each time" : "");
	if (write_part(shrinking, note, path) < 0)
		(void)cli_set_error(shrinking->cli, &shrinking->error);
	else
		(void)printf("%s: %s\n", path, note);
}

static void minimize(struct shrinking *shrinking, const char *path)
{
	const size_t before = count_messages(shrinking, true) + count_messages(shrinking, false);
	unsigned failed;
	int rc = measure(shrinking, &failed);

	if (rc == 0 && failed == 0) {
		(void)cli_set_status(shrinking->cli, CLI_INCOMPLETE,
				     "s%" PRIu32 " does not fail alone in %u runs: nothing to minimize",
				     shrinking->session, REPEATS);
		return;
	}
	if (rc == 0) {
		shrinking->repeats = failed < REPEATS ? REPEATS : 1;
		rc = shrink(shrinking, true);
	}
	if (rc == 0)
		rc = shrink(shrinking, false);
	if (rc == 0 || rc == IQ_ERR_LIMIT)
		write_result(shrinking, path, failed, before, rc == 0);
	else
		(void)cli_set_error(shrinking->cli, &shrinking->error);
}

void cli_minimize(struct cli *cli, struct iq_store *store, const struct iq_replay_options *options,
		  const struct iq_replay *replay, const char *path, int64_t budget_ns)
{
	struct shrinking shrinking = {
		.cli = cli, .store = store, .options = *options, .repeats = 1, .error = IQ_ERROR_INIT
	};
	size_t count;
	const struct iq_lived *lived = iq_replay_sessions(replay, &count);
	char *directory = iq_path_temporary("inquest-minimize-XXXXXX");

	for (size_t i = 0; i < count && !shrinking.kind; i++)
		if (lived[i].verdict == IQ_VERDICT_VIOLATED) {
			shrinking.session = lived[i].session_no;
			shrinking.kind = failure_of(&lived[i]);
		}
	if (!shrinking.kind) {
		(void)printf("nothing is violated: there is nothing to minimize\n");
	} else if (directory && mkdtemp(directory) && strlen(directory) < sizeof(shrinking.directory)) {
		(void)snprintf(shrinking.directory, sizeof(shrinking.directory), "%s", directory);
		shrinking.deadline = budget_ns ? iq_clock_monotonic() + budget_ns : 0;
		minimize(&shrinking, path);
		(void)iq_file_remove_tree(directory, NULL);
	} else {
		(void)cli_set_status(cli, CLI_FAILED,
				     "cannot make a temporary directory: set TMPDIR to one that can be written");
	}
	free(shrinking.units);
	free(shrinking.gone);
	free(directory);
}
