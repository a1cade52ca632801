/* ingest/docker_stream.h - the log stream of the Docker Engine API into lines: `GET /containers/ID/logs?timestamps=1`. Free of I/O.
 *
 *	iq_docker_stream_init(&stream, tty, max_line, take, context);
 *	while (... bytes of the response's body ...)
 *		rc = iq_docker_stream_feed(&stream, bytes, error);
 *	iq_docker_stream_end(&stream, error);
 *	iq_docker_stream_release(&stream);
 *
 * Without a terminal the body is a series of frames (moby: pkg/stdcopy): a byte that names the stream (0 stdin, 1 stdout, 2 stderr,
 * 3 an error of the Engine itself), three zeros, the length in 32 bits, big-endian; a frame is one record of the log driver. With a
 * terminal (Config.Tty of the container) the records stand one behind the other.
 * A record is `2026-11-24T03:07:12.418000000Z text`. A line longer than 16 KiB comes as several records, all but the last without a
 * line end, each with the time of the first (moby: daemon/logger/copier.go); they are joined for each stream. A record without
 * a time is a message of the Engine, not of the container.
 */
#ifndef IQ_INGEST_DOCKER_STREAM_H
#define IQ_INGEST_DOCKER_STREAM_H

#include "event/event.h"

#define IQ_DOCKER_STREAMS 4
/* Text that the log drivers put into one record at most. */
#define IQ_DOCKER_PIECE_BYTES (16u << 10)
/* A time and the space behind it are not longer than this. */
#define IQ_DOCKER_TIME_BYTES 40

struct iq_docker_line {
	int64_t ts;	     /* IQ_TIME_NONE: a message of the Engine */
	unsigned stream;     /* 0 to 3, see above; 1 with a terminal */
	struct iq_view text; /* without its line end; at most max_line bytes. Borrowed until the callback returns. */
	uint64_t bytes;	     /* of the text, before it was cut */
	bool partial;	     /* its end never came */
};

/* Takes one line; negative stops the stream with that status. */
typedef int iq_docker_line_fn(void *context, const struct iq_docker_line *line, struct iq_error *error);

/* A line of one stream, as far as it has come. */
struct iq_docker_pending {
	bool active;
	bool timed; /* the time of the record at hand was read, or it has none */
	int64_t ts;
	struct iq_buf text;
	uint64_t bytes;
	uint64_t piece; /* bytes of text in the record at hand, or in the last one */
};

struct iq_docker_stream {
	iq_docker_line_fn *take;
	void *context;
	size_t max_line;
	bool tty;
	uint8_t header[8];
	size_t header_len;
	uint64_t left;			 /* of the frame at hand */
	unsigned number;		 /* of its stream */
	char time[IQ_DOCKER_TIME_BYTES]; /* of the record at hand, with a terminal of the line */
	size_t time_len;
	size_t matched; /* with a terminal, behind a full piece: so much of the time was seen again */
	bool matching;
	struct iq_docker_pending lines[IQ_DOCKER_STREAMS];
};

void iq_docker_stream_init(struct iq_docker_stream *stream, bool tty, size_t max_line, iq_docker_line_fn *take,
			   void *context);
void iq_docker_stream_release(struct iq_docker_stream *stream);
/* Takes the next bytes of the body. IQ_ERR_FORMAT for a frame that is none: what follows cannot be read. IQ_ERR_NOMEM, or what the
 * callback returned. */
int iq_docker_stream_feed(struct iq_docker_stream *stream, struct iq_view bytes, struct iq_error *error);
/* The log ended: lines that have no end are handed out as partial. */
int iq_docker_stream_end(struct iq_docker_stream *stream, struct iq_error *error);
/* The connection ended: what is unfinished will come again. */
void iq_docker_stream_reset(struct iq_docker_stream *stream);
/* The time of the oldest line that is unfinished; IQ_TIME_NONE where there is none. */
int64_t iq_docker_stream_oldest(const struct iq_docker_stream *stream);

#endif
