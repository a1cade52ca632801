#include "store/encoder.h"

#include <pthread.h>
#include <stdlib.h>

struct iq_encoder {
	pthread_t thread;
	bool running;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct iq_chunk_builder builders[2];
	unsigned collecting;		   /* which of them */
	struct iq_segment_writer *segment; /* what the other goes into; NULL: nothing to do */
	bool ending;
	int rc; /* of the last chunk, until somebody was told */
	struct iq_error error;
};

static void *encode(void *argument)
{
	struct iq_encoder *encoder = argument;

	(void)pthread_mutex_lock(&encoder->mutex);
	for (;;) {
		struct iq_chunk_builder *builder;
		int rc;

		while (!encoder->segment && !encoder->ending)
			(void)pthread_cond_wait(&encoder->changed, &encoder->mutex);
		if (!encoder->segment)
			break;
		builder = &encoder->builders[!encoder->collecting];
		(void)pthread_mutex_unlock(&encoder->mutex);
		rc = iq_segment_writer_chunk(encoder->segment, builder, &encoder->error);
		iq_chunk_builder_clear(builder);
		(void)pthread_mutex_lock(&encoder->mutex);
		encoder->rc = rc;
		encoder->segment = NULL;
		(void)pthread_cond_broadcast(&encoder->changed);
	}
	(void)pthread_mutex_unlock(&encoder->mutex);
	return NULL;
}

int iq_encoder_new(struct iq_encoder **ret_encoder, struct iq_error *error)
{
	struct iq_encoder *encoder = calloc(1, sizeof(*encoder));

	if (!encoder)
		return iq_error_nomem(error);
	encoder->error = (struct iq_error)IQ_ERROR_INIT;
	(void)pthread_mutex_init(&encoder->mutex, NULL);
	(void)pthread_cond_init(&encoder->changed, NULL);
	if (iq_chunk_builder_init(&encoder->builders[0]) < 0 || iq_chunk_builder_init(&encoder->builders[1]) < 0 ||
	    pthread_create(&encoder->thread, NULL, encode, encoder) != 0) {
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
	iq_chunk_builder_release(&encoder->builders[0]);
	iq_chunk_builder_release(&encoder->builders[1]);
	(void)pthread_cond_destroy(&encoder->changed);
	(void)pthread_mutex_destroy(&encoder->mutex);
	free(encoder);
}

struct iq_chunk_builder *iq_encoder_builder(struct iq_encoder *encoder)
{
	return &encoder->builders[encoder->collecting];
}

/* With the mutex held. */
static int wait_idle(struct iq_encoder *encoder, struct iq_error *error)
{
	int rc;

	while (encoder->segment)
		(void)pthread_cond_wait(&encoder->changed, &encoder->mutex);
	rc = encoder->rc;
	if (rc < 0 && error && error->status == IQ_OK)
		*error = encoder->error;
	encoder->rc = 0;
	encoder->error = (struct iq_error)IQ_ERROR_INIT;
	return rc;
}

int iq_encoder_give(struct iq_encoder *encoder, struct iq_segment_writer *segment, struct iq_error *error)
{
	int rc;

	(void)pthread_mutex_lock(&encoder->mutex);
	rc = wait_idle(encoder, error);
	if (rc == 0) {
		encoder->collecting = !encoder->collecting;
		encoder->segment = segment;
		(void)pthread_cond_broadcast(&encoder->changed);
	}
	(void)pthread_mutex_unlock(&encoder->mutex);
	return rc;
}

int iq_encoder_wait(struct iq_encoder *encoder, struct iq_error *error)
{
	int rc;

	(void)pthread_mutex_lock(&encoder->mutex);
	rc = wait_idle(encoder, error);
	(void)pthread_mutex_unlock(&encoder->mutex);
	return rc;
}
