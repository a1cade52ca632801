/* ingest/docker_element.h - what the formats of Docker's own JSON share: an action becomes a record of the element at hand.
 */
#ifndef IQ_INGEST_DOCKER_ELEMENT_H
#define IQ_INGEST_DOCKER_ELEMENT_H

#include "ingest/docker_event.h"
#include "ingest/document_parser.h"

/* Gives the action out as an event with the element's range, unless it was told already; its source is the container, where it is named.
 * 0, or negative. */
int iq_docker_element_give(const struct iq_element_reading *reading, const struct iq_docker_action *action,
			   struct iq_error *error);
/* Of `count` names, so many are members of the object, which may be cut. For probing. */
size_t iq_docker_element_has(struct iq_view text, const struct iq_view *names, size_t count);

#endif
