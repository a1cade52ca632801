/* Workload W: WebSocket JSON events of a chat product with agents, orders and prices, as NDJSON that `inquest ingest` reads:
 *
 *     ws-events WORDS MEGABYTES [SEED] [text|object]
 *
 * writes about MEGABYTES to standard output and one line of JSON to standard error: events, bytes, sessions and the entropy in
 * bytes. Every random choice goes through pick_*(), which adds the choice's own information, -log2 of the probability of what
 * came out, to a sum. Since the choices determine the output, no lossless coding can be expected to need less than that sum.
 * What is not chosen costs nothing: counters, repeated ids, the order of members, the punctuation of JSON.
 *
 * A connection is one of LIVE slots. Its phase decides which kinds of event may come next, see `kinds`; each kind is a template
 * whose letters are filled in by `slots`. Words have the frequencies of WORDS ("count word" lines), drawn independently.
 * Bodies are text, as a proxy records frames; with `object` they are embedded as JSON. */
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LIVE = 400, SYMBOLS = 24, WORD_LIMIT = 8192, BODY_LIMIT = 65536 };

/* A discrete distribution: `upto` are cumulated probabilities, `bits` the information of each outcome. */
struct dist {
	size_t count;
	double *upto, *bits;
};

enum phase { IDLE, THINKING, CALLING, GONE, ANY };

struct kind {
	const char *name, *direction;
	enum phase from, to;
	double weight;
	const char *body; /* %letter: see slots */
};

static const struct kind kinds[] = {
	{ "user_message", "client", IDLE, IDLE, 6, "\"id\":\"%U\",\"text\":\"%W\"" },
	{ "agent_started", "server", IDLE, THINKING, 9, "\"run_id\":\"%r\",\"model\":\"%m\",\"at\":%T" },
	{ "agent_thinking", "server", THINKING, THINKING, 4, "\"run_id\":\"%R\",\"text\":\"%w\"" },
	{ "token_delta", "server", THINKING, THINKING, 12, "\"run_id\":\"%R\",\"n\":%n,\"text\":\"%w\"" },
	{ "tool_executing", "server", THINKING, CALLING, 4,
	  "\"run_id\":\"%R\",\"tool_id\":\"call_%k\",\"tool\":\"%t\",\"arguments\":{\"query\":\"%w\",\"limit\":%q}" },
	{ "tool_progress", "server", CALLING, CALLING, 3, "\"run_id\":\"%R\",\"tool_id\":\"call_%K\",\"percent\":%c" },
	{ "tool_completed", "server", CALLING, THINKING, 5,
	  "\"run_id\":\"%R\",\"tool_id\":\"call_%K\",\"ms\":%d,\"hits\":%q,\"cached\":%b" },
	{ "tool_failed", "server", CALLING, THINKING, 0.2,
	  "\"run_id\":\"%R\",\"tool_id\":\"call_%K\",\"ms\":%d,\"error\":\"upstream %u answered 503 after %d ms\"" },
	{ "agent_completed", "server", THINKING, IDLE, 4,
	  "\"run_id\":\"%R\",\"text\":\"%W\",\"usage\":{\"input\":%d,\"output\":%q},\"at\":%T" },
	{ "price_tick", "server", ANY, ANY, 9, "\"symbol\":\"%P\",\"size\":%q,\"at\":%T" },
	{ "order_placed", "client", ANY, ANY, 2,
	  "\"order\":%o,\"lines\":[{\"sku\":\"%s\",\"quantity\":%c,\"price\":%p},{\"sku\":\"%s\",\"quantity\":%c,\"price\":%p}],\"note\":null" },
	{ "order_accepted", "server", ANY, ANY, 1,
	  "\"order\":%o,\"total\":%p,\"currency\":\"EUR\",\"eta\":\"2026-11-2%cT08:00:00Z\"" },
	{ "presence", "server", ANY, ANY, 2, "\"user\":\"%u\",\"online\":%b" },
	{ "typing", "client", IDLE, IDLE, 3, "\"user\":\"%u\"" },
	{ "heartbeat", "server", ANY, ANY, 5, "\"n\":%n,\"load\":%l" },
	{ "warning", "server", ANY, ANY, 0.3,
	  "\"code\":\"E%q\",\"detail\":\"queue %t holds %d messages, oldest %d ms\",\"trace\":\"%U\"" },
	{ "close", "client", IDLE, GONE, 0.25, NULL },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

struct session {
	enum phase phase;
	uint32_t name, user, counter;
	uint64_t run, call, order;
};

struct generator {
	uint64_t state;
	double bits;
	uint64_t now_us, bytes, events, sessions;
	bool embed;
	struct session live[LIVE];
	int64_t cents[SYMBOLS];
	char *words[WORD_LIMIT];
	struct dist word, activity, symbol, pause, model, tool, next[GONE];
	char body[BODY_LIMIT];
	size_t length;
};

/* A letter of the templates: what fills it, how that is printed. */
struct slot {
	char letter;
	void (*fill)(struct generator *g, struct session *s, const struct slot *slot);
	const char *format;
	double size;
};

static _Noreturn void die(const char *why)
{
	fprintf(stderr, "ws-events: %s\n", why);
	exit(2);
}

/* splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). */
static uint64_t draw(struct generator *g)
{
	uint64_t z = g->state += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static double draw_unit(struct generator *g)
{
	return ((double)(draw(g) >> 11) + 0.5) * 0x1p-53;
}

static uint64_t pick_bits(struct generator *g, unsigned count)
{
	g->bits += count;
	return draw(g) >> (64 - count);
}

static unsigned pick_below(struct generator *g, unsigned limit)
{
	g->bits += log2(limit);
	return (unsigned)(draw_unit(g) * limit);
}

static size_t pick(struct generator *g, const struct dist *d)
{
	double at = draw_unit(g);
	size_t low = 0, high = d->count - 1;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (at < d->upto[middle])
			high = middle;
		else
			low = middle + 1;
	}
	g->bits += d->bits[low];
	return low;
}

/* 0, 1, 2, ... with P(k) = (1 - q) q^k and the mean given: what an exponential waiting time is in whole units. */
static uint64_t pick_geometric(struct generator *g, double mean)
{
	double q = mean / (mean + 1);
	uint64_t k = (uint64_t)(log(draw_unit(g)) / log(q));
	g->bits -= (double)k * log2(q) + log2(1 - q);
	return k;
}

static struct dist dist_of(const double *weights, size_t count)
{
	struct dist d = { count, malloc(count * sizeof(double)), malloc(count * sizeof(double)) };
	double sum = 0, upto = 0;
	if (!d.upto || !d.bits)
		die("no memory");
	for (size_t at = 0; at < count; at++)
		sum += weights[at];
	for (size_t at = 0; at < count; at++) {
		d.upto[at] = (upto += weights[at] / sum);
		d.bits[at] = -log2(weights[at] / sum);
	}
	return d;
}

/* Weights 1/(rank + flat): few outcomes are frequent, many rare. */
static struct dist dist_ranked(size_t count, double flat)
{
	double weights[LIVE];
	for (size_t at = 0; at < count; at++)
		weights[at] = 1 / ((double)at + flat);
	return dist_of(weights, count);
}

static void load_words(struct generator *g, const char *path)
{
	static double weights[WORD_LIMIT];
	char word[64];
	size_t count = 0;
	FILE *file = fopen(path, "r");
	if (!file)
		die("cannot read the list of words");
	while (count < WORD_LIMIT && fscanf(file, "%lf %63s", &weights[count], word) == 2)
		if (!(g->words[count++] = strdup(word)))
			die("no memory");
	fclose(file);
	if (!count)
		die("the list of words is empty");
	g->word = dist_of(weights, count);
}

/* Which kinds may follow in each phase. */
static void load_kinds(struct generator *g)
{
	for (enum phase phase = IDLE; phase < GONE; phase++) {
		double weights[KINDS];
		for (size_t at = 0; at < KINDS; at++)
			weights[at] = kinds[at].from == phase || kinds[at].from == ANY ? kinds[at].weight : 0;
		g->next[phase] = dist_of(weights, KINDS);
	}
}

__attribute__((format(printf, 2, 3))) static void put(struct generator *g, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	int length = vsnprintf(g->body + g->length, BODY_LIMIT - g->length, format, list);
	va_end(list);
	if (length < 0 || (g->length += (size_t)length) >= BODY_LIMIT)
		die("body too long");
}

/* Sentences: after a word a blank, a comma or a full stop. */
static void put_text(struct generator *g, double mean)
{
	bool begins = true;
	for (uint64_t left = pick_geometric(g, mean) + 1; left; left--) {
		const char *word = g->words[pick(g, &g->word)];
		put(g, "%c%s", begins ? word[0] & ~('a' - 'A') : word[0], word + 1);
		size_t stop = left > 1 ? pick(g, &g->pause) : 2;
		begins = stop == 2;
		put(g, "%s%s", (const char *[]){ "", ",", "." }[stop], left > 1 ? " " : "");
	}
}

static void fill_text(struct generator *g, struct session *s, const struct slot *slot)
{
	(void)s;
	put_text(g, slot->size);
}

static void fill_uuid(struct generator *g, struct session *s, const struct slot *slot)
{
	unsigned long long high = pick_bits(g, 60), low = pick_bits(g, 62);
	(void)s;
	put(g, slot->format, high >> 28, high >> 12 & 0xffff, high & 0xfff, low >> 48 | 0x8000, low & 0xffffffffffff);
}

/* The run and the call that the session is in: a new one of `size` bits, or again the one before. */
static void fill_run(struct generator *g, struct session *s, const struct slot *slot)
{
	if (slot->size > 0)
		s->run = pick_bits(g, (unsigned)slot->size);
	put(g, slot->format, (unsigned long long)s->run);
}

static void fill_call(struct generator *g, struct session *s, const struct slot *slot)
{
	if (slot->size > 0)
		s->call = pick_bits(g, (unsigned)slot->size);
	put(g, slot->format, (unsigned long long)s->call);
}

/* A server's time, which is some milliseconds before it was recorded. */
static void fill_time(struct generator *g, struct session *s, const struct slot *slot)
{
	(void)s;
	put(g, slot->format, (unsigned long long)(g->now_us / 1000 - pick_geometric(g, slot->size)));
}

/* A symbol with its price, which walks. */
static void fill_walk(struct generator *g, struct session *s, const struct slot *slot)
{
	size_t symbol = pick(g, &g->symbol);
	int64_t step = (int64_t)pick_geometric(g, slot->size);
	int64_t *cents = &g->cents[symbol];
	(void)s;
	*cents += pick_bits(g, 1) && *cents > step ? -step : step;
	put(g, slot->format, (unsigned long long)symbol, (double)*cents / 100);
}

static void fill_price(struct generator *g, struct session *s, const struct slot *slot)
{
	(void)s;
	put(g, slot->format, (double)(pick_geometric(g, slot->size) + 1) / 100);
}

static void fill_amount(struct generator *g, struct session *s, const struct slot *slot)
{
	(void)s;
	put(g, slot->format, (unsigned long long)pick_geometric(g, slot->size));
}

static void fill_uniform(struct generator *g, struct session *s, const struct slot *slot)
{
	(void)s;
	put(g, slot->format, (unsigned long long)pick_below(g, (unsigned)slot->size));
}

static void fill_counter(struct generator *g, struct session *s, const struct slot *slot)
{
	put(g, slot->format, (unsigned long long)s->counter++);
}

static void fill_order(struct generator *g, struct session *s, const struct slot *slot)
{
	s->order += pick_geometric(g, slot->size) + 1;
	put(g, slot->format, (unsigned long long)s->order);
}

static void fill_user(struct generator *g, struct session *s, const struct slot *slot)
{
	put(g, slot->format, (unsigned long long)s->user);
}

static void fill_flag(struct generator *g, struct session *s, const struct slot *slot)
{
	(void)s;
	put(g, slot->format, pick_bits(g, 1) ? "true" : "false");
}

static const char *const models[] = { "swift-2", "deep-1", "swift-2-mini", "legacy" };
static const char *const tools[] = { "search",	  "orders.lookup", "orders.cancel", "invoice.render",
				     "translate", "weather",	   "calendar" };

static void fill_model(struct generator *g, struct session *s, const struct slot *slot)
{
	(void)s;
	put(g, slot->format, models[pick(g, &g->model)]);
}

static void fill_tool(struct generator *g, struct session *s, const struct slot *slot)
{
	(void)s;
	put(g, slot->format, tools[pick(g, &g->tool)]);
}

/* `size` is a mean, a limit or a number of bits, as the function takes it. */
static const struct slot slots[] = {
	{ 'b', fill_flag, "%s", 0 },
	{ 'c', fill_uniform, "%llu", 9 },
	{ 'd', fill_amount, "%llu", 240 },
	{ 'K', fill_call, "%012llx", 0 },
	{ 'k', fill_call, "%012llx", 48 },
	{ 'l', fill_uniform, "0.%03llu", 1000 },
	{ 'm', fill_model, "%s", 0 },
	{ 'n', fill_counter, "%llu", 0 },
	{ 'o', fill_order, "%llu", 12 },
	{ 'P', fill_walk, "SYM%llu\",\"bid\":%.2f,\"currency\":\"EUR", 3 },
	{ 'p', fill_price, "%.2f", 2500 },
	{ 'q', fill_amount, "%llu", 20 },
	{ 'R', fill_run, "%016llx", 0 },
	{ 'r', fill_run, "%016llx", 64 },
	{ 's', fill_uniform, "SKU-%05llu", 20000 },
	{ 'T', fill_time, "%llu", 4 },
	{ 't', fill_tool, "%s", 0 },
	{ 'U', fill_uuid, "%08llx-%04llx-4%03llx-%04llx-%012llx", 0 },
	{ 'u', fill_user, "u%05llu", 0 },
	{ 'W', fill_text, NULL, 15 },
	{ 'w', fill_text, NULL, 3 },
};

static void fill_slot(struct generator *g, struct session *s, char letter)
{
	for (size_t at = 0; at < sizeof slots / sizeof *slots; at++) {
		if (slots[at].letter == letter) {
			slots[at].fill(g, s, &slots[at]);
			return;
		}
	}
	die("a template with an unknown letter");
}

static void make_body(struct generator *g, struct session *s, const struct kind *kind)
{
	g->length = 0;
	put(g, "{\"type\":\"%s\",", kind->name);
	for (const char *at = kind->body; *at; at++) {
		if (*at == '%')
			fill_slot(g, s, *++at);
		else
			put(g, "%c", *at);
	}
	put(g, "}");
}

/* The part that all events have; the clock goes on by a waiting time. */
static void print_head(struct generator *g, const struct session *s, const char *kind)
{
	g->now_us += pick_geometric(g, 1600);
	time_t second = (time_t)(g->now_us / 1000000);
	struct tm tm;
	char text[32];
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", gmtime_r(&second, &tm));
	g->bytes +=
		(uint64_t)printf("{\"ts\":\"%s.%06uZ\",\"source\":\"proxy\",\"session\":\"ws-%08x\",\"kind\":\"%s\"",
				 text, (unsigned)(g->now_us % 1000000), s->name, kind);
	g->events++;
}

static void print_tail(struct generator *g, const char *text)
{
	g->bytes += (uint64_t)printf("%s\n", text);
}

static void print_body(struct generator *g)
{
	g->bytes += (uint64_t)printf(",\"body\":%s", g->embed ? "" : "\"");
	for (size_t at = 0; at < g->length; at++) {
		if (g->body[at] == '"' && !g->embed)
			putchar('\\'), g->bytes++;
		putchar(g->body[at]);
	}
	g->bytes += g->length;
	print_tail(g, g->embed ? "}" : "\"}");
}

static void open_session(struct generator *g, struct session *s)
{
	*s = (struct session){ .phase = IDLE, .name = (uint32_t)pick_bits(g, 32) };
	s->user = pick_below(g, 50000);
	s->order = pick_bits(g, 30);
	unsigned host = (unsigned)pick_bits(g, 18), port = 32768 + pick_below(g, 28232);
	g->sessions++;
	print_head(g, s, "ws.open");
	g->bytes += (uint64_t)printf(",\"attrs\":{\"url\":\"ws://chat.shop.test/ws?user=u%05u\",\"status\":101,"
				     "\"peer\":\"10.%u.%u.%u:%u\"}",
				     s->user, host >> 16, host >> 8 & 255, host & 255, port);
	print_tail(g, "}");
}

static void step(struct generator *g)
{
	struct session *s = &g->live[pick(g, &g->activity)];
	if (s->phase == GONE) {
		open_session(g, s);
		return;
	}
	const struct kind *kind = &kinds[pick(g, &g->next[s->phase])];
	print_head(g, s, kind->body ? "ws.message" : "ws.close");
	g->bytes += (uint64_t)printf(",\"direction\":\"%s\"", kind->direction);
	if (kind->body) {
		make_body(g, s, kind);
		print_body(g);
	} else {
		print_tail(g, ",\"attrs\":{\"code\":1000}}");
	}
	if (kind->to != ANY)
		s->phase = kind->to;
}

int main(int argc, char **argv)
{
	static struct generator g;
	if (argc < 3 || argc > 5)
		die("usage: ws-events WORDS MEGABYTES [SEED] [text|object]");
	uint64_t limit = (uint64_t)(strtod(argv[2], NULL) * 1e6);
	g.state = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
	g.embed = argc > 4 && strcmp(argv[4], "object") == 0;
	g.now_us = 1795403232000000;
	load_words(&g, argv[1]);
	load_kinds(&g);
	g.activity = dist_ranked(LIVE, 40);
	g.symbol = dist_ranked(SYMBOLS, 2);
	g.pause = dist_of((double[]){ 84, 7, 9 }, 3);
	g.model = dist_ranked(sizeof models / sizeof *models, 1);
	g.tool = dist_ranked(sizeof tools / sizeof *tools, 1);
	for (size_t at = 0; at < LIVE; at++)
		g.live[at].phase = GONE;
	for (size_t at = 0; at < SYMBOLS; at++)
		g.cents[at] = 1000 + 377 * (int64_t)at;
	while (g.bytes < limit)
		step(&g);
	fprintf(stderr, "{\"events\":%llu,\"bytes\":%llu,\"sessions\":%llu,\"entropy_bytes\":%.0f}\n",
		(unsigned long long)g.events, (unsigned long long)g.bytes, (unsigned long long)g.sessions, g.bits / 8);
	return fflush(stdout) || ferror(stdout) ? 1 : 0;
}
