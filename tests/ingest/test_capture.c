#include <criterion/criterion.h>
#include <pcap/pcap.h>
#include <stdio.h>

#include "base/base.h"
#include "ingest/capture.h"
#include "ingest/packet.h"

/* libpcap reads the same files. It refuses a pcapng whose interfaces are of different link types, which is left out here. */

static struct iq_buf read_sample(const char *name)
{
	struct iq_buf bytes = IQ_BUF_INIT;
	char path[700];

	(void)snprintf(path, sizeof(path), "%s/pcap/%s.in", IQ_SAMPLES, name);
	cr_assert_eq(iq_file_read(path, 1 << 20, &bytes, NULL), 0, "%s", path);
	return bytes;
}

static pcap_t *open_libpcap(struct iq_buf *bytes)
{
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *other = pcap_fopen_offline_with_tstamp_precision(fmemopen(bytes->data, bytes->len, "r"),
								 PCAP_TSTAMP_PRECISION_NANO, why);

	cr_assert(other, "%s", why);
	return other;
}

/* The next packet; false behind the last, or at damage. */
static bool next_packet(struct iq_capture *capture, struct iq_view *bytes, struct iq_capture_record *record)
{
	int rc;

	while ((rc = iq_capture_next(capture, bytes, record)) > 0 && record->kind != IQ_CAPTURE_PACKET &&
	       record->kind != IQ_CAPTURE_DAMAGE)
		;
	return rc > 0 && record->kind == IQ_CAPTURE_PACKET;
}

static void compare(const char *name)
{
	struct iq_buf file = read_sample(name);
	struct iq_view bytes = iq_buf_view(&file);
	pcap_t *other = open_libpcap(&file);
	struct iq_capture capture;
	struct iq_capture_record record;
	struct pcap_pkthdr *head;
	const u_char *data;
	size_t packets = 0;

	iq_capture_init(&capture);
	for (; next_packet(&capture, &bytes, &record); packets++) {
		cr_assert_eq(pcap_next_ex(other, &head, &data), 1, "%s: packet %zu", name, packets);
		cr_expect_eq(record.ts, head->ts.tv_sec * IQ_NS_PER_S + head->ts.tv_usec, "%s: packet %zu", name,
			     packets);
		cr_expect_eq(record.length, head->len, "%s: packet %zu", name, packets);
		cr_expect(iq_view_eq(record.bytes, iq_view_make((const char *)data, head->caplen)), "%s: packet %zu",
			  name, packets);
	}
	cr_expect_gt(packets, 4, "%s", name);
	iq_capture_release(&capture);
	pcap_close(other);
	iq_buf_release(&file);
}

Test(capture, has_the_packets_that_libpcap_finds)
{
	static const char *const names[] = { "cut-short", "damaged",   "log-in",      "midway",
					     "others",	  "reordered", "version-six", "websocket" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		compare(names[i]);
}

/* ---- Damage ---- */

static size_t count_packets(struct iq_view bytes, uint64_t *ret_damaged)
{
	struct iq_capture capture;
	struct iq_capture_record record;
	uint64_t position = 0;
	size_t packets = 0;

	*ret_damaged = 0;
	iq_capture_init(&capture);
	while (iq_capture_next(&capture, &bytes, &record) > 0 || iq_capture_end(&capture, &record) > 0) {
		cr_assert_eq(record.offset, position, "a byte that belongs to no record");
		position = record.end;
		packets += record.kind == IQ_CAPTURE_PACKET;
		*ret_damaged += record.kind == IQ_CAPTURE_DAMAGE ? record.end - record.offset : 0;
	}
	iq_capture_release(&capture);
	return packets;
}

/* A byte of a head is overwritten, at each place of a packet in the middle: no more than a few packets are lost. */
static void damage_each(const char *name, size_t from, size_t until)
{
	struct iq_buf file = read_sample(name);
	uint64_t damaged;
	const size_t packets = count_packets(iq_buf_view(&file), &damaged);

	cr_expect_eq(damaged, 0);
	for (size_t at = from; at < until; at++) {
		const char was = file.data[at];

		file.data[at] = (char)0xff;
		cr_expect_geq(count_packets(iq_buf_view(&file), &damaged) + 4, packets, "%s, byte %zu", name, at);
		file.data[at] = was;
	}
	iq_buf_release(&file);
}

Test(capture, goes_on_behind_damage)
{
	damage_each("websocket", 24 + 74, 24 + 3 * 74);
	damage_each("pcapng", 120, 420);
}

Test(capture, takes_numbers_of_a_block_for_what_they_can_be)
{
	static const char *const heads[] = {
		"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a\1\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x1c\0\0\0"
		"\6\0\0\0\xfc\xff\xff\xff", /* a block of 4 GiB */
		"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a\1\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x1c\0\0\0"
		"\6\0\0\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff", /* a packet of 4 GiB, of no interface */
	};
	uint64_t damaged;

	cr_expect_eq(count_packets(iq_view_make(heads[0], 36), &damaged), 0);
	cr_expect_eq(damaged, 8);
	cr_expect_eq(count_packets(iq_view_make(heads[1], 52), &damaged), 0);
	cr_expect_eq(damaged, 24);
}
