#include "ingest/tcp.h"

#include <inquest/event.h>
#include <stdlib.h>

#define FIRST_BUCKETS 256u
/* No condition on what the other direction has given. */
#define NO_ACK INT64_MIN

enum waiting_kind { WAITING_BYTES, WAITING_CUT_OFF, WAITING_FIN, WAITING_RST };

/* A part of a direction that cannot be given yet. */
struct iq_tcp_waiting {
	struct iq_tcp_waiting *next;
	enum waiting_kind kind;
	int64_t at;
	int64_t end;
	int64_t ack; /* what its sender had received: given before it */
	struct iq_tcp_place place;
	char bytes[];
};

/* A segment on its way in. */
struct arrival {
	unsigned way;
	int64_t at;
	int64_t ack;
	struct iq_view bytes;
	struct iq_tcp_place place;
};

/* ---- Connections ---- */

void iq_tcp_init(struct iq_tcp *tcp, const struct iq_tcp_sink *sink)
{
	*tcp = (struct iq_tcp){ .sink = *sink, .limit = IQ_TCP_MAX_CONNECTIONS };
}

static bool same_endpoint(const struct iq_endpoint *a, const struct iq_endpoint *b)
{
	return a->port == b->port && a->family == b->family && memcmp(a->address, b->address, sizeof(a->address)) == 0;
}

static uint64_t hash_endpoint(const struct iq_endpoint *endpoint)
{
	char key[sizeof(endpoint->address) + sizeof(endpoint->port)];

	memcpy(key, endpoint->address, sizeof(endpoint->address));
	memcpy(key + sizeof(endpoint->address), &endpoint->port, sizeof(endpoint->port));
	return iq_hash64(iq_view_make(key, sizeof(key)));
}

/* The same for both directions. */
static struct iq_tcp_connection **bucket_of(const struct iq_tcp *tcp, const struct iq_endpoint *a,
					    const struct iq_endpoint *b)
{
	return &tcp->buckets[(hash_endpoint(a) + hash_endpoint(b)) & (tcp->bucket_count - 1)];
}

static struct iq_tcp_connection *find(const struct iq_tcp *tcp, const struct iq_segment *segment, unsigned *ret_way)
{
	struct iq_tcp_connection *connection =
		tcp->bucket_count > 0 ? *bucket_of(tcp, &segment->from, &segment->to) : NULL;

	for (; connection; connection = connection->in_bucket)
		for (unsigned way = 0; way < 2; way++)
			if (same_endpoint(&connection->ends[way], &segment->from) &&
			    same_endpoint(&connection->ends[1 - way], &segment->to)) {
				*ret_way = way;
				return connection;
			}
	return NULL;
}

static int grow_buckets(struct iq_tcp *tcp)
{
	struct iq_tcp_connection **old = tcp->buckets;
	const size_t old_count = tcp->bucket_count;

	if (tcp->count < old_count)
		return 0;
	tcp->bucket_count = old_count > 0 ? old_count * 2 : FIRST_BUCKETS;
	tcp->buckets = calloc(tcp->bucket_count, sizeof(struct iq_tcp_connection *));
	if (!tcp->buckets) {
		tcp->buckets = old;
		tcp->bucket_count = old_count;
		return IQ_ERR_NOMEM;
	}
	free(old);
	for (struct iq_tcp_connection *each = tcp->oldest; each; each = each->newer) {
		struct iq_tcp_connection **bucket = bucket_of(tcp, &each->ends[0], &each->ends[1]);

		each->in_bucket = *bucket;
		*bucket = each;
	}
	return 0;
}

static void unlink_age(struct iq_tcp *tcp, struct iq_tcp_connection *connection)
{
	*(connection->older ? &connection->older->newer : &tcp->oldest) = connection->newer;
	*(connection->newer ? &connection->newer->older : &tcp->newest) = connection->older;
}

static void link_newest(struct iq_tcp *tcp, struct iq_tcp_connection *connection)
{
	connection->newer = NULL;
	connection->older = tcp->newest;
	*(tcp->newest ? &tcp->newest->newer : &tcp->oldest) = connection;
	tcp->newest = connection;
}

static void pop(struct iq_tcp *tcp, struct iq_tcp_connection *connection, struct iq_tcp_way *way)
{
	struct iq_tcp_waiting *waiting = way->head;
	const size_t cost =
		sizeof(*waiting) + (waiting->kind == WAITING_BYTES ? (size_t)(waiting->end - waiting->at) : 0);

	way->head = waiting->next;
	if (!way->head)
		way->last = NULL;
	way->pieces--;
	connection->waiting -= cost;
	tcp->waiting -= cost;
	free(waiting);
}

/* Nothing waits any more, nothing is compared. */
static void empty(struct iq_tcp *tcp, struct iq_tcp_connection *connection)
{
	for (size_t i = 0; i < 2; i++) {
		while (connection->ways[i].head)
			pop(tcp, connection, &connection->ways[i]);
		free(connection->ways[i].remembered);
		connection->ways[i].remembered = NULL;
	}
}

static void remove_connection(struct iq_tcp *tcp, struct iq_tcp_connection *connection)
{
	struct iq_tcp_connection **place = bucket_of(tcp, &connection->ends[0], &connection->ends[1]);

	while (*place != connection)
		place = &(*place)->in_bucket;
	*place = connection->in_bucket;
	unlink_age(tcp, connection);
	tcp->count--;
	empty(tcp, connection);
	tcp->sink.forget(connection);
	free(connection);
}

void iq_tcp_release(struct iq_tcp *tcp)
{
	while (tcp->oldest)
		remove_connection(tcp, tcp->oldest);
	free(tcp->buckets);
}

static int end_connection(struct iq_tcp *tcp, struct iq_tcp_connection *connection, enum iq_tcp_end how,
			  struct iq_error *error)
{
	connection->ended = true;
	empty(tcp, connection);
	return tcp->sink.end(tcp->sink.context, connection, how, error);
}

/* ---- Numbers ---- */

/* The number that the 32 bits of a packet stand for, near what is expected. */
static int64_t unwrap(const struct iq_tcp_way *way, uint32_t number)
{
	return way->next + (int32_t)(number - (uint32_t)way->next);
}

static void know(struct iq_tcp_way *way, uint32_t number)
{
	if (way->known)
		return;
	way->known = true;
	/* Room below, so that no number is negative. */
	way->next = way->low = way->acked = (INT64_C(1) << 33) + number;
}

static bool is_near(const struct iq_tcp_way *way, int64_t number)
{
	return number >= way->next - IQ_TCP_MAX_AHEAD && number <= way->next + IQ_TCP_MAX_AHEAD;
}

static void see(struct iq_tcp_way *way, int64_t number)
{
	if (!way->anchored && number < way->low && is_near(way, number))
		way->low = number;
}

static void anchor(struct iq_tcp_way *way, int64_t number)
{
	way->anchored = true;
	way->next = way->remembered_from = way->start = number;
	if (way->acked < number)
		way->acked = number;
}

/* ---- Giving ---- */

static void remember(struct iq_tcp_way *way, struct iq_view bytes)
{
	size_t at;

	if (!way->remembered)
		way->remembered = malloc(IQ_TCP_REMEMBERED);
	if (!way->remembered)
		return;
	if (bytes.len > IQ_TCP_REMEMBERED)
		bytes = iq_view_from(bytes, bytes.len - IQ_TCP_REMEMBERED);
	at = (size_t)((uint64_t)way->next - bytes.len) % IQ_TCP_REMEMBERED;
	for (size_t part; bytes.len > 0; bytes = iq_view_from(bytes, part), at = 0) {
		part = bytes.len < IQ_TCP_REMEMBERED - at ? bytes.len : IQ_TCP_REMEMBERED - at;
		memcpy(way->remembered + at, bytes.data, part);
	}
}

static int give(struct iq_tcp *tcp, struct iq_tcp_connection *connection, unsigned way,
		const struct iq_tcp_piece *piece, struct iq_error *error)
{
	return tcp->sink.piece(tcp->sink.context, connection, way, piece, error);
}

static int give_bytes(struct iq_tcp *tcp, struct iq_tcp_connection *connection, unsigned number, struct iq_view bytes,
		      const struct iq_tcp_place *place, struct iq_error *error)
{
	const struct iq_tcp_piece piece = { IQ_TCP_BYTES, bytes, bytes.len, *place };
	struct iq_tcp_way *way = &connection->ways[number];

	way->next += (int64_t)bytes.len;
	way->bytes += bytes.len;
	remember(way, bytes);
	return give(tcp, connection, number, &piece, error);
}

static int give_missing(struct iq_tcp *tcp, struct iq_tcp_connection *connection, unsigned number,
			enum iq_tcp_event event, int64_t until, const struct iq_tcp_place *place,
			struct iq_error *error)
{
	struct iq_tcp_way *way = &connection->ways[number];
	const struct iq_tcp_piece piece = { event, IQ_VIEW_NULL, (uint64_t)(until - way->next), *place };

	way->next = way->remembered_from = until;
	way->lost += piece.size;
	return give(tcp, connection, number, &piece, error);
}

static int give_finished(struct iq_tcp *tcp, struct iq_tcp_connection *connection, unsigned number,
			 const struct iq_tcp_place *place, struct iq_error *error)
{
	const struct iq_tcp_piece piece = { IQ_TCP_FINISHED, IQ_VIEW_NULL, 0, *place };
	struct iq_tcp_way *way = &connection->ways[number];
	int rc;

	if (way->finished)
		return 0;
	way->finished = true;
	/* It takes a number, as a byte does. */
	way->next++;
	rc = give(tcp, connection, number, &piece, error);
	if (rc == 0 && connection->ways[1 - number].finished)
		rc = end_connection(tcp, connection, IQ_TCP_CLOSED, error);
	return rc;
}

/* Of what waits, the part that was not given: numbers that contradict each other are nobody's. */
static int give_waiting(struct iq_tcp *tcp, struct iq_tcp_connection *connection, unsigned number,
			struct iq_error *error)
{
	const struct iq_tcp_way *way = &connection->ways[number];
	const struct iq_tcp_waiting *waiting = way->head;
	const struct iq_view bytes = iq_view_make(waiting->bytes, (size_t)(waiting->end - waiting->at));

	if (way->finished || waiting->end <= way->next)
		return 0;
	if (waiting->kind == WAITING_CUT_OFF)
		return give_missing(tcp, connection, number, IQ_TCP_CUT_OFF, waiting->end, &waiting->place, error);
	return give_bytes(tcp, connection, number, iq_view_from(bytes, (size_t)(way->next - waiting->at)),
			  &waiting->place, error);
}

/* Gives the first part that waits, which is what comes next. */
static int give_head(struct iq_tcp *tcp, struct iq_tcp_connection *connection, unsigned number, struct iq_error *error)
{
	const struct iq_tcp_waiting *waiting = connection->ways[number].head;
	int rc;

	if (waiting->kind == WAITING_RST) {
		connection->reset_by = number;
		rc = end_connection(tcp, connection, IQ_TCP_RESET, error);
	} else if (waiting->kind == WAITING_FIN) {
		rc = give_finished(tcp, connection, number, &waiting->place, error);
	} else {
		rc = give_waiting(tcp, connection, number, error);
	}
	/* The end takes everything with it. */
	if (!connection->ended)
		pop(tcp, connection, &connection->ways[number]);
	return rc;
}

static bool is_next(const struct iq_tcp_way *way)
{
	return way->head && way->head->at <= way->next;
}

static bool is_due(const struct iq_tcp_connection *connection, unsigned way)
{
	return is_next(&connection->ways[way]) && connection->ways[way].head->ack <= connection->ways[1 - way].next;
}

/* Gives whatever waits no longer. */
static int go_on(struct iq_tcp *tcp, struct iq_tcp_connection *connection, struct iq_error *error)
{
	int rc = 0;

	for (bool moved = true; moved && rc == 0;) {
		moved = false;
		for (unsigned way = 0; way < 2 && rc == 0; way++)
			while (rc == 0 && !connection->ended && is_due(connection, way)) {
				rc = give_head(tcp, connection, way, error);
				connection->stuck = 0;
				moved = true;
			}
	}
	return rc;
}

/* ---- Giving up ---- */

/* Was something acknowledged that has not come? */
static bool is_lost(const struct iq_tcp_connection *connection, unsigned way)
{
	const struct iq_tcp_way *this = &connection->ways[way];
	const struct iq_tcp_waiting *answer = connection->ways[1 - way].head;

	if (this->head && !is_next(this))
		return this->acked > this->next;
	return !this->head && answer && is_next(&connection->ways[1 - way]) && answer->ack > this->next;
}

/* Up to what is there, or what is known to have been; when that was is told by who has it. */
static int give_lost(struct iq_tcp *tcp, struct iq_tcp_connection *connection, unsigned way, struct iq_error *error)
{
	const struct iq_tcp_waiting *behind = connection->ways[way].head, *answer = connection->ways[1 - way].head;
	const struct iq_tcp_place place = behind ? behind->place : answer->place;

	return give_missing(tcp, connection, way, IQ_TCP_LOST, behind ? behind->at : answer->ack, &place, error);
}

/* Something waits, and shall not any longer. */
static int give_up(struct iq_tcp *tcp, struct iq_tcp_connection *connection, struct iq_error *error)
{
	for (unsigned way = 0; way < 2; way++)
		if (is_lost(connection, way))
			return give_lost(tcp, connection, way, error);
	for (unsigned way = 0; way < 2; way++)
		if (connection->ways[way].head && !is_next(&connection->ways[way]))
			return give_lost(tcp, connection, way, error);
	/* Each says that it has received what the other says later: they are not to be believed. */
	for (unsigned way = 0; way < 2; way++)
		if (connection->ways[way].head)
			connection->ways[way].head->ack = NO_ACK;
	return 0;
}

static bool is_waiting(const struct iq_tcp_connection *connection)
{
	return connection->ways[0].head || connection->ways[1].head;
}

static bool is_over_limit(const struct iq_tcp *tcp, const struct iq_tcp_connection *connection)
{
	return connection->waiting > IQ_TCP_MAX_WAITING || tcp->waiting > IQ_TCP_MAX_WAITING_ALL ||
	       connection->ways[0].pieces > IQ_TCP_MAX_PIECES || connection->ways[1].pieces > IQ_TCP_MAX_PIECES;
}

static bool has_waited(const struct iq_tcp *tcp, const struct iq_tcp_connection *connection)
{
	if (is_over_limit(tcp, connection))
		return true;
	return connection->stuck > IQ_TCP_PATIENCE && (is_lost(connection, 0) || is_lost(connection, 1));
}

static void warm_up(struct iq_tcp_connection *connection)
{
	connection->warm = true;
	for (size_t i = 0; i < 2; i++)
		if (connection->ways[i].known && !connection->ways[i].anchored)
			anchor(&connection->ways[i], connection->ways[i].low);
}

/* Everything that waits is given, with its holes. */
static int drain(struct iq_tcp *tcp, struct iq_tcp_connection *connection, struct iq_error *error)
{
	int rc = 0;

	warm_up(connection);
	while (rc == 0 && (rc = go_on(tcp, connection, error)) == 0 && is_waiting(connection))
		rc = give_up(tcp, connection, error);
	return rc;
}

static int drain_and_end(struct iq_tcp *tcp, struct iq_tcp_connection *connection, enum iq_tcp_end how,
			 struct iq_error *error)
{
	int rc = connection->ended ? 0 : drain(tcp, connection, error);

	return rc == 0 && !connection->ended ? end_connection(tcp, connection, how, error) : rc;
}

static int progress(struct iq_tcp *tcp, struct iq_tcp_connection *connection, struct iq_error *error)
{
	int rc = 0;

	if (!connection->warm && !is_over_limit(tcp, connection))
		return 0;
	if (!connection->warm)
		warm_up(connection);
	connection->stuck++;
	while (rc == 0 && (rc = go_on(tcp, connection, error)) == 0 && is_waiting(connection) &&
	       has_waited(tcp, connection))
		rc = give_up(tcp, connection, error);
	if (!is_waiting(connection))
		connection->stuck = 0;
	return rc;
}

/* ---- What comes ---- */

static int wait_for(struct iq_tcp *tcp, struct iq_tcp_connection *connection, const struct arrival *arrival,
		    enum waiting_kind kind, int64_t end, struct iq_tcp_waiting **place)
{
	struct iq_tcp_way *way = &connection->ways[arrival->way];
	const size_t len = kind == WAITING_BYTES ? (size_t)(end - arrival->at) : 0;
	struct iq_tcp_waiting *waiting = malloc(sizeof(*waiting) + len);

	if (!waiting)
		return IQ_ERR_NOMEM;
	*waiting = (struct iq_tcp_waiting){ *place, kind, arrival->at, end, arrival->ack, arrival->place };
	if (len > 0)
		memcpy(waiting->bytes, arrival->bytes.data, len);
	if (!waiting->next)
		way->last = waiting;
	*place = waiting;
	way->pieces++;
	connection->waiting += sizeof(*waiting) + len;
	tcp->waiting += sizeof(*waiting) + len;
	return 0;
}

/* Where what begins at `at` stands among what waits. */
static struct iq_tcp_waiting **place_of(struct iq_tcp_way *way, int64_t at)
{
	struct iq_tcp_waiting **place = &way->head;

	if (way->last && way->last->end <= at)
		return &way->last->next;
	while (*place && (*place)->end <= at)
		place = &(*place)->next;
	return place;
}

static void skip(struct arrival *arrival, int64_t until)
{
	arrival->bytes = iq_view_from(arrival->bytes, (size_t)(until - arrival->at));
	arrival->at = until;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* What comes, up to `end`, and is neither given nor waiting already: bytes, or their size. *ret_differs: a part that is says something
 * else. */
static int keep_new(struct iq_tcp *tcp, struct iq_tcp_connection *connection, struct arrival arrival,
		    enum waiting_kind kind, int64_t end, bool *ret_differs)
{
	struct iq_tcp_way *way = &connection->ways[arrival.way];
	struct iq_tcp_waiting **place = place_of(way, arrival.at);
	int rc = 0;

	while (rc == 0 && arrival.at < end) {
		const struct iq_tcp_waiting *there = *place;
		const int64_t free_until = there && there->at < end ? there->at : end;

		if (arrival.at < free_until) {
			rc = wait_for(tcp, connection, &arrival, kind, free_until, place);
			skip(&arrival, free_until);
		} else {
			const size_t len = (size_t)(least(there->end, end) - arrival.at);

			if (kind == WAITING_BYTES && there->kind == WAITING_BYTES)
				*ret_differs |=
					memcmp(there->bytes + (arrival.at - there->at), arrival.bytes.data, len) != 0;
			skip(&arrival, arrival.at + (int64_t)len);
		}
		place = &(*place)->next;
	}
	return rc;
}

/* Do bytes that were given already come as something else? */
static bool differs_from_given(const struct iq_tcp_way *way, const struct arrival *arrival)
{
	const int64_t oldest = way->next - IQ_TCP_REMEMBERED;
	int64_t at = oldest > way->remembered_from ? oldest : way->remembered_from;
	const int64_t end = least(way->next, arrival->at + (int64_t)arrival->bytes.len);

	/* One byte before what is next asks whether the other is still there; which one it is says nothing. */
	if (!way->remembered || (arrival->bytes.len == 1 && arrival->at == way->next - 1))
		return false;
	for (at = at > arrival->at ? at : arrival->at; at < end; at++)
		if (way->remembered[(uint64_t)at % IQ_TCP_REMEMBERED] != arrival->bytes.data[at - arrival->at])
			return true;
	return false;
}

static bool waits_for_nothing(const struct iq_tcp_connection *connection, const struct arrival *arrival)
{
	const struct iq_tcp_way *way = &connection->ways[arrival->way];

	return connection->warm && !way->head && arrival->at <= way->next &&
	       arrival->ack <= connection->ways[1 - arrival->way].next;
}

static int take_payload(struct iq_tcp *tcp, struct iq_tcp_connection *connection, struct arrival arrival,
			uint64_t length, struct iq_error *error)
{
	struct iq_tcp_way *way = &connection->ways[arrival.way];
	const int64_t bytes_end = arrival.at + (int64_t)arrival.bytes.len, end = arrival.at + (int64_t)length;
	const struct iq_tcp_piece second = { IQ_TCP_DIFFERS, IQ_VIEW_NULL, length, arrival.place };
	bool differs = way->anchored && differs_from_given(way, &arrival);
	int rc = 0;

	if (way->anchored && arrival.at < way->next)
		skip(&arrival, least(way->next, end));
	if (arrival.at < bytes_end && waits_for_nothing(connection, &arrival))
		rc = give_bytes(tcp, connection, arrival.way, arrival.bytes, &arrival.place, error);
	else if (arrival.at < bytes_end && keep_new(tcp, connection, arrival, WAITING_BYTES, bytes_end, &differs) < 0)
		rc = iq_error_nomem(error);
	if (arrival.at < bytes_end)
		skip(&arrival, bytes_end);
	if (rc == 0 && arrival.at < end && keep_new(tcp, connection, arrival, WAITING_CUT_OFF, end, &differs) < 0)
		rc = iq_error_nomem(error);
	if (rc == 0 && differs)
		rc = give(tcp, connection, arrival.way, &second, error);
	return rc;
}

/* The end of a direction, or of the connection, which waits for what comes before it. */
static int take_mark(struct iq_tcp *tcp, struct iq_tcp_connection *connection, struct arrival arrival,
		     enum waiting_kind kind, struct iq_error *error)
{
	struct iq_tcp_way *way = &connection->ways[arrival.way];

	for (const struct iq_tcp_waiting *each = way->head; each; each = each->next)
		if (each->kind == kind)
			return 0;
	return wait_for(tcp, connection, &arrival, kind, arrival.at, place_of(way, arrival.at)) < 0
		       ? iq_error_nomem(error)
		       : 0;
}

/* ---- Numbers that a segment has ---- */

static void take_syn(struct iq_tcp_connection *connection, unsigned number, const struct iq_segment *segment)
{
	struct iq_tcp_way *way = &connection->ways[number];

	if (way->has_isn)
		return;
	way->has_isn = true;
	way->isn = segment->seq;
	know(way, segment->seq + 1);
	if (!way->anchored)
		anchor(way, unwrap(way, segment->seq + 1));
	if (!(segment->flags & IQ_TCP_ACK)) {
		connection->start_seen = true;
		connection->opener = number;
	}
}

static void take_ack(struct iq_tcp_connection *connection, unsigned number, const struct iq_segment *segment,
		     int64_t *ret_ack)
{
	struct iq_tcp_way *other = &connection->ways[1 - number];
	int64_t ack;

	*ret_ack = NO_ACK;
	if (!(segment->flags & IQ_TCP_ACK) || (segment->flags & IQ_TCP_RST))
		return;
	know(other, segment->ack);
	ack = unwrap(other, segment->ack);
	see(other, ack);
	/* A handshake acknowledges the number before the first byte. */
	if ((segment->flags & IQ_TCP_SYN || connection->warm) && !other->anchored)
		anchor(other, ack);
	if (!is_near(other, ack))
		return;
	if (ack > other->acked)
		other->acked = ack;
	*ret_ack = ack;
}

static bool is_warm(const struct iq_tcp_connection *connection, const struct iq_segment *segment)
{
	if (connection->ways[0].anchored && connection->ways[1].anchored)
		return true;
	if (connection->ways[0].fin_seen && connection->ways[1].fin_seen)
		return true;
	return connection->packets >= IQ_TCP_FIRST_PACKETS || segment->flags & IQ_TCP_RST;
}

static int take_numbers(struct iq_tcp *tcp, struct iq_tcp_connection *connection, unsigned number,
			const struct iq_segment *segment, struct iq_error *error)
{
	struct iq_tcp_way *way = &connection->ways[number];
	const uint32_t seq = segment->seq + (segment->flags & IQ_TCP_SYN ? 1 : 0);
	struct arrival arrival = { .way = number, .bytes = segment->payload, .place = connection->last };
	int64_t end;
	int rc = 0;

	take_ack(connection, number, segment, &arrival.ack);
	if (segment->length == 0 && !(segment->flags & (IQ_TCP_FIN | IQ_TCP_RST)))
		return 0;
	know(way, seq);
	arrival.at = unwrap(way, seq);
	end = arrival.at + (int64_t)segment->length;
	if (!is_near(way, arrival.at)) {
		tcp->strays++;
		return 0;
	}
	see(way, arrival.at);
	if (connection->warm && !way->anchored)
		anchor(way, arrival.at);
	way->fin_seen |= (segment->flags & IQ_TCP_FIN) != 0;
	if (segment->length > 0 && !way->finished)
		rc = take_payload(tcp, connection, arrival, segment->length, error);
	arrival.at = end;
	if (rc == 0 && segment->flags & IQ_TCP_FIN && !way->finished)
		rc = take_mark(tcp, connection, arrival, WAITING_FIN, error);
	if (rc == 0 && segment->flags & IQ_TCP_RST)
		rc = take_mark(tcp, connection, arrival, WAITING_RST, error);
	return rc;
}

/* ---- Segments ---- */

static struct iq_tcp_connection *add_connection(struct iq_tcp *tcp, const struct iq_segment *segment,
						const struct iq_tcp_place *place)
{
	struct iq_tcp_connection *connection = calloc(1, sizeof(*connection));
	struct iq_tcp_connection **bucket;

	if (!connection || grow_buckets(tcp) < 0) {
		free(connection);
		return NULL;
	}
	connection->ends[0] = segment->from;
	connection->ends[1] = segment->to;
	connection->first = *place;
	bucket = bucket_of(tcp, &segment->from, &segment->to);
	connection->in_bucket = *bucket;
	*bucket = connection;
	link_newest(tcp, connection);
	tcp->count++;
	connection->number = ++tcp->connections;
	return connection;
}

/* Are the ports of a connection connected anew? */
static bool is_anew(const struct iq_tcp_connection *connection, unsigned way, const struct iq_segment *segment)
{
	const struct iq_tcp_way *this = &connection->ways[way];

	if ((segment->flags & (IQ_TCP_SYN | IQ_TCP_ACK)) != IQ_TCP_SYN)
		return false;
	if (this->has_isn)
		return this->isn != segment->seq;
	return connection->ended || (this->anchored && (uint32_t)this->start != segment->seq + 1);
}

static int make_room(struct iq_tcp *tcp, struct iq_error *error)
{
	int rc = 0;

	if (tcp->count < tcp->limit)
		return 0;
	rc = drain_and_end(tcp, tcp->oldest, IQ_TCP_FORGOTTEN, error);
	remove_connection(tcp, tcp->oldest);
	return rc;
}

int iq_tcp_take(struct iq_tcp *tcp, const struct iq_segment *segment, const struct iq_tcp_place *place,
		struct iq_error *error)
{
	unsigned way = 0;
	struct iq_tcp_connection *connection = find(tcp, segment, &way);
	int rc = 0;

	if (connection && is_anew(connection, way, segment)) {
		rc = drain_and_end(tcp, connection, IQ_TCP_REUSED, error);
		remove_connection(tcp, connection);
		connection = NULL;
		way = 0;
	}
	if (rc == 0 && !connection) {
		rc = make_room(tcp, error);
		connection = rc == 0 ? add_connection(tcp, segment, place) : NULL;
		if (rc == 0 && !connection)
			rc = iq_error_nomem(error);
	}
	if (rc < 0)
		return rc;
	unlink_age(tcp, connection);
	link_newest(tcp, connection);
	connection->packets++;
	connection->last = *place;
	if (connection->ended)
		return 0;
	if (segment->flags & IQ_TCP_SYN)
		take_syn(connection, way, segment);
	rc = take_numbers(tcp, connection, way, segment, error);
	if (rc == 0 && !connection->ended && is_warm(connection, segment))
		warm_up(connection);
	return rc == 0 && !connection->ended ? progress(tcp, connection, error) : rc;
}

int iq_tcp_end(struct iq_tcp *tcp, struct iq_error *error)
{
	int rc = 0;

	for (struct iq_tcp_connection *each = tcp->oldest; each && rc == 0; each = each->newer)
		rc = drain_and_end(tcp, each, IQ_TCP_OPEN, error);
	return rc;
}
