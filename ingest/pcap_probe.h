/* ingest/pcap_probe.h - what bytes of a TCP connection look like, for telling what it speaks and where to go on behind what is missing. Pure.
 * Private to the format.
 */
#ifndef IQ_INGEST_PCAP_PROBE_H
#define IQ_INGEST_PCAP_PROBE_H

#include "ingest/pcap_connection.h"

struct iq_pcap_guess {
	enum iq_pcap_protocol protocol;
	enum iq_direction speaker; /* whose bytes they are; NONE: they do not tell */
};

/* What a connection is whose first bytes these are. `is_all`: no more of them will come: then never UNKNOWN. */
struct iq_pcap_guess iq_pcap_guess(struct iq_view bytes, bool is_all);
/* What a connection is in the middle of which these bytes stand; UNKNOWN: they may stand within anything. */
struct iq_pcap_guess iq_pcap_guess_midway(struct iq_view bytes);
bool iq_pcap_begins_request(struct iq_view bytes);
bool iq_pcap_begins_response(struct iq_view bytes);
/* Frames, one behind the other, up to the end of the bytes; or the last one beyond it, where others came before, or where it is a text
 * of which enough is there to know it by. */
bool iq_pcap_begins_frames(struct iq_view bytes, bool from_server);

#endif
