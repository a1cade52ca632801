#include "store/encoder.h"

#include <pthread.h>
#include <stdlib.h>

#include "store/proof.h"

/* One is collected, one coded, one proved. */
#define JOBS 3u

enum progress { FREE, GIVEN, CODING, CODED, PROVING };

/* A chunk from its first event to its proof. */
struct job {
	enum progress progress;
	uint64_t turn; /* which chunk it is, of all that were given */
	struct iq_segment_writer *segment;
	struct iq_chunk_builder builder;
	struct iq_coded_chunk coded;
};

struct iq_encoder {
	pthread_t thread;
	bool running;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct job jobs[JOBS];
	struct job *collecting;
	uint64_t turns;
	bool ending;
	int rc; /* the first that failed, until somebody was told */
	struct iq_error error;
};

/* ---- Steps: with the mutex held, but while one is done ---- */

static bool is_coding(const struct iq_encoder *encoder)
{
	for (unsigned i = 0; i < JOBS; i++)
		if (encoder->jobs[i].progress == CODING)
			return true;
	return false;
}

static struct job *oldest_job(struct iq_encoder *encoder, enum progress progress)
{
	struct job *oldest = NULL;

	for (unsigned i = 0; i < JOBS; i++) {
		struct job *job = &encoder->jobs[i];

		if (job->progress == progress && (!oldest || job->turn < oldest->turn))
			oldest = job;
	}
	return oldest;
}

/* What can be done now, `first` before anything else; NULL: nothing. */
static struct job *next_job(struct iq_encoder *encoder, enum progress first)
{
	struct job *given = is_coding(encoder) ? NULL : oldest_job(encoder, GIVEN);
	struct job *coded = oldest_job(encoder, CODED);

	return given && (first == GIVEN || !coded) ? given : coded;
}

static bool is_busy(const struct iq_encoder *encoder)
{
	for (unsigned i = 0; i < JOBS; i++)
		if (encoder->jobs[i].progress != FREE)
			return true;
	return false;
}

static void keep_failure(struct iq_encoder *encoder, int rc, const struct iq_error *error)
{
	if (rc == 0 || encoder->rc < 0)
		return;
	encoder->rc = rc;
	encoder->error = *error;
}

static int code(struct job *job, struct iq_error *error)
{
	if (iq_chunk_builder_sort(&job->builder) < 0)
		return iq_error_nomem(error);
	return iq_segment_writer_chunk(job->segment, &job->builder, &job->coded, error);
}

/* After a failure nothing more is done: chunks that were given before it are passed on as they are. */
static void take_step(struct iq_encoder *encoder, struct job *job)
{
	const bool codes = job->progress == GIVEN, skip = encoder->rc < 0;
	struct iq_error error = IQ_ERROR_INIT;
	int rc = 0;

	job->progress = codes ? CODING : PROVING;
	(void)pthread_mutex_unlock(&encoder->mutex);
	if (!skip)
		rc = codes ? code(job, &error) : iq_coded_chunk_prove(&job->coded, &job->builder, &error);
	if (!codes || rc < 0) {
		iq_coded_chunk_clear(&job->coded);
		iq_chunk_builder_clear(&job->builder);
	}
	(void)pthread_mutex_lock(&encoder->mutex);
	keep_failure(encoder, rc, &error);
	job->progress = codes && rc == 0 ? CODED : FREE;
	(void)pthread_cond_broadcast(&encoder->changed);
}

static void wait_or_help(struct iq_encoder *encoder, enum progress first)
{
	struct job *job = next_job(encoder, first);

	if (job)
		take_step(encoder, job);
	else
		(void)pthread_cond_wait(&encoder->changed, &encoder->mutex);
}

static void *encode(void *argument)
{
	struct iq_encoder *encoder = argument;

	(void)pthread_mutex_lock(&encoder->mutex);
	while (!encoder->ending || is_busy(encoder))
		wait_or_help(encoder, GIVEN);
	(void)pthread_mutex_unlock(&encoder->mutex);
	return NULL;
}

/* ---- Life ---- */

static int init_jobs(struct iq_encoder *encoder)
{
	for (unsigned i = 0; i < JOBS; i++)
		if (iq_chunk_builder_init(&encoder->jobs[i].builder) < 0 ||
		    iq_coded_chunk_init(&encoder->jobs[i].coded) < 0)
			return IQ_ERR_NOMEM;
	return 0;
}

int iq_encoder_new(struct iq_encoder **ret_encoder, struct iq_error *error)
{
	struct iq_encoder *encoder = calloc(1, sizeof(*encoder));

	if (!encoder)
		return iq_error_nomem(error);
	encoder->error = (struct iq_error)IQ_ERROR_INIT;
	encoder->collecting = &encoder->jobs[0];
	(void)pthread_mutex_init(&encoder->mutex, NULL);
	(void)pthread_cond_init(&encoder->changed, NULL);
	if (init_jobs(encoder) < 0 || pthread_create(&encoder->thread, NULL, encode, encoder) != 0) {
		iq_encoder_free(encoder);
		return iq_error_nomem(error);
	}
	encoder->running = true;
	*ret_encoder = encoder;
	return 0;
}

void iq_encoder_free(struct iq_encoder *encoder)
{
	if (!encoder)
		return;
	if (encoder->running) {
		(void)pthread_mutex_lock(&encoder->mutex);
		encoder->ending = true;
		(void)pthread_cond_broadcast(&encoder->changed);
		(void)pthread_mutex_unlock(&encoder->mutex);
		(void)pthread_join(encoder->thread, NULL);
	}
	for (unsigned i = 0; i < JOBS; i++) {
		iq_coded_chunk_release(&encoder->jobs[i].coded);
		iq_chunk_builder_release(&encoder->jobs[i].builder);
	}
	(void)pthread_cond_destroy(&encoder->changed);
	(void)pthread_mutex_destroy(&encoder->mutex);
	free(encoder);
}

/* ---- The collecting thread ---- */

struct iq_chunk_builder *iq_encoder_builder(struct iq_encoder *encoder)
{
	return &encoder->collecting->builder;
}

static struct job *free_job(struct iq_encoder *encoder)
{
	for (unsigned i = 0; i < JOBS; i++)
		if (encoder->jobs[i].progress == FREE)
			return &encoder->jobs[i];
	return NULL;
}

/* What failed since somebody was told last. With the mutex held. */
static int tell_failure(struct iq_encoder *encoder, struct iq_error *error)
{
	const int rc = encoder->rc;

	if (rc < 0 && error && error->status == IQ_OK)
		*error = encoder->error;
	encoder->rc = 0;
	encoder->error = (struct iq_error)IQ_ERROR_INIT;
	return rc;
}

int iq_encoder_give(struct iq_encoder *encoder, struct iq_segment_writer *segment, struct iq_error *error)
{
	struct job *job;
	int rc;

	(void)pthread_mutex_lock(&encoder->mutex);
	encoder->collecting->segment = segment;
	encoder->collecting->turn = encoder->turns++;
	encoder->collecting->progress = GIVEN;
	(void)pthread_cond_broadcast(&encoder->changed);
	while (!(job = free_job(encoder)))
		wait_or_help(encoder, CODED);
	encoder->collecting = job;
	rc = encoder->rc;
	if (rc < 0 && error && error->status == IQ_OK)
		*error = encoder->error;
	(void)pthread_mutex_unlock(&encoder->mutex);
	return rc;
}

int iq_encoder_wait(struct iq_encoder *encoder, struct iq_error *error)
{
	int rc;

	(void)pthread_mutex_lock(&encoder->mutex);
	while (is_busy(encoder))
		wait_or_help(encoder, CODED);
	rc = tell_failure(encoder, error);
	(void)pthread_mutex_unlock(&encoder->mutex);
	return rc;
}
