/* A live writer to be watched and killed: spool_writer STORE FIRST COUNT [SPOOL_BYTES [FLUSH_EVERY]]
 *
 * Records COUNT events numbered from FIRST (their seq), and prints `acknowledged N` whenever that is true of event N. When all
 * are, it waits for the end of its input, then seals. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/store.h"

static void record(struct iq_live *live, int64_t number)
{
	struct iq_event event = IQ_EVENT_INIT;
	char body[256], line[512], session[16];
	int len = snprintf(body, sizeof(body), "{\"type\":\"tick\",\"n\":%" PRId64 ",\"text\":\"%0*d\"}", number,
			   (int)(number % 100) + 1, 7);

	event.ts = event.observed = 1795403232000000000 + number * 1000;
	event.kind = IQ_KIND_WS_MESSAGE;
	event.direction = IQ_DIRECTION_SERVER;
	event.source = IQ_LIT("proxy");
	(void)snprintf(session, sizeof(session), "c%d", (int)(number % 7));
	event.session = iq_view_cstr(session);
	event.type = IQ_LIT("tick");
	event.seq = number;
	event.body = iq_view_make(body, (size_t)len);
	len = snprintf(line, sizeof(line), "%s %s\n", session, body);
	if (iq_live_event(live, &event, iq_view_make(line, (size_t)len)) == 0)
		(void)printf("lost %" PRId64 "\n", number);
}

int main(int argc, char **argv)
{
	struct iq_live_options options = IQ_LIVE_OPTIONS_INIT;
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_live *live;
	int64_t first, count, every;
	char byte;

	if (argc < 4)
		return 2;
	first = strtoll(argv[2], NULL, 10);
	count = strtoll(argv[3], NULL, 10);
	every = argc > 5 ? strtoll(argv[5], NULL, 10) : 100;
	options.name = "proxy.rec";
	options.format = "log";
	if (argc > 4) {
		options.spool_bytes = strtoull(argv[4], NULL, 10);
		options.reserve_bytes = 4096;
	}
	if (iq_live_open(argv[1], &options, &live, &error) < 0)
		goto failed;
	for (int64_t i = 1; i <= count; i++) {
		record(live, first + i - 1);
		if (i % every != 0 && i != count)
			continue;
		if (iq_live_flush(live, &error) < 0)
			goto failed;
		(void)printf("acknowledged %" PRId64 "\n", first + i - 1);
		(void)fflush(stdout);
	}
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	if (iq_live_close(live, &error) < 0)
		goto failed;
	iq_live_free(live);
	return 0;
failed:
	(void)fprintf(stderr, "%s\n", error.message);
	return 4;
}
