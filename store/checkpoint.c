/* Signed heads. A head says how many lines a manifest has and the root of the tree over them; signed, it is a checkpoint as
 * in C2SP tlog-checkpoint, inside a signed note:
 *
 *	inquest-store
 *	12
 *	CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
 *
 *	<em dash> inquest-store Az3grl...
 *
 * The last line is base64 of the key's id (4 bytes) and the signature (64 bytes) of the three lines before the empty one. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/manifest.h"

#define NAME "inquest-store"
#define SIGNATURE_LINE "\n\u2014 " NAME " "
#define KEY_ID_SIZE 4u
/* A longer file is no checkpoint. */
#define MAX_BYTES 4096u

static char *path_in(const char *store_path, const char *checkpoint_path)
{
	return checkpoint_path ? strdup(checkpoint_path) : iq_path_join(store_path, "checkpoint");
}

/* ---- Heads ---- */

static int head_of(const struct iq_manifest *manifest, struct iq_head *ret_head, struct iq_error *error)
{
	ret_head->lines = manifest->lines.count;
	return iq_merkle_root(&manifest->lines, ret_head->root) < 0 ? iq_error_nomem(error) : 0;
}

static void append_head(struct iq_buf *text, const struct iq_head *head)
{
	(void)iq_buf_appendf(text, NAME "\n%" PRIu64 "\n", head->lines);
	text->failed |= iq_base64_encode(iq_view_make((const char *)head->root, IQ_SHA256_SIZE), text) < 0;
	(void)iq_buf_append_char(text, '\n');
}

/* The signed note's id of an Ed25519 key: the first bytes of SHA-256 of its name, a line feed, a 1 byte and the key. */
static void key_id(const uint8_t key[IQ_ED25519_KEY_SIZE], uint8_t ret_id[KEY_ID_SIZE])
{
	static const char prefix[] = NAME "\n\1";
	uint8_t bytes[sizeof(prefix) - 1 + IQ_ED25519_KEY_SIZE], digest[IQ_SHA256_SIZE];

	memcpy(bytes, prefix, sizeof(prefix) - 1);
	memcpy(bytes + sizeof(prefix) - 1, key, IQ_ED25519_KEY_SIZE);
	iq_sha256_of(bytes, sizeof(bytes), digest);
	memcpy(ret_id, digest, KEY_ID_SIZE);
}

/* ---- Signing ---- */

static int append_signature(struct iq_buf *text, const char *key_path, struct iq_error *error)
{
	uint8_t bytes[KEY_ID_SIZE + IQ_ED25519_SIGNATURE_SIZE], key[IQ_ED25519_KEY_SIZE];
	int rc = iq_ed25519_sign(key_path, iq_buf_view(text), bytes + KEY_ID_SIZE, key, error);

	if (rc < 0)
		return rc;
	key_id(key, bytes);
	(void)iq_buf_append_cstr(text, SIGNATURE_LINE);
	text->failed |= iq_base64_encode(iq_view_make((const char *)bytes, sizeof(bytes)), text) < 0;
	(void)iq_buf_append_char(text, '\n');
	return text->failed ? iq_error_nomem(error) : 0;
}

static int write_synced(const char *path, struct iq_view text, struct iq_error *error)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	int rc = fd < 0 ? iq_error_errno(error, IQ_ERR_IO, "%s", path)
			: iq_file_write_all(fd, text.data, text.len, error);

	if (rc == 0 && fsync(fd) != 0)
		rc = iq_error_errno(error, IQ_ERR_IO, "%s", path);
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

/* The old checkpoint is there until the new one is. */
static int write_checkpoint(const char *path, struct iq_view text, struct iq_error *error)
{
	struct iq_buf temporary = IQ_BUF_INIT;
	int rc;

	(void)iq_buf_appendf(&temporary, "%s.tmp", path);
	rc = temporary.failed ? iq_error_nomem(error) : write_synced(temporary.data, text, error);
	if (rc == 0 && rename(temporary.data, path) != 0)
		rc = iq_error_errno(error, IQ_ERR_IO, "%s", path);
	iq_buf_release(&temporary);
	return rc;
}

int iq_store_sign(const char *path, const char *key_path, const char *checkpoint_path, struct iq_head *ret_head,
		  struct iq_error *error)
{
	struct iq_manifest manifest;
	struct iq_buf text = IQ_BUF_INIT;
	struct iq_head head;
	char *file;
	int rc = iq_manifest_read(path, &manifest, error);

	if (rc < 0)
		return rc;
	rc = head_of(&manifest, &head, error);
	iq_manifest_release(&manifest);
	file = path_in(path, checkpoint_path);
	if (rc == 0 && !file)
		rc = iq_error_nomem(error);
	append_head(&text, &head);
	if (rc == 0)
		rc = append_signature(&text, key_path, error);
	if (rc == 0)
		rc = write_checkpoint(file, iq_buf_view(&text), error);
	if (rc == 0)
		*ret_head = head;
	iq_buf_release(&text);
	free(file);
	return rc;
}

/* ---- Proving ---- */

struct checkpoint {
	struct iq_view text; /* that is signed */
	struct iq_head head;
	uint8_t key_id[KEY_ID_SIZE];
	uint8_t signature[IQ_ED25519_SIGNATURE_SIZE];
};

static bool take_line(struct iq_view *rest, struct iq_view *ret_line)
{
	const char *end = memchr(rest->data, '\n', rest->len);

	if (!end)
		return false;
	*ret_line = iq_view_make(rest->data, (size_t)(end - rest->data));
	*rest = iq_view_from(*rest, ret_line->len + 1);
	return true;
}

static bool decode(struct iq_view text, void *bytes, size_t len)
{
	struct iq_buf buf = IQ_BUF_INIT;
	bool good = iq_base64_decode(text, &buf) == 0 && buf.len == len;

	if (good)
		memcpy(bytes, buf.data, len);
	iq_buf_release(&buf);
	return good;
}

static bool parse_checkpoint(struct iq_view note, struct checkpoint *ret)
{
	const struct iq_view mark = IQ_LIT(SIGNATURE_LINE);
	uint8_t bytes[KEY_ID_SIZE + IQ_ED25519_SIGNATURE_SIZE];
	struct iq_view rest, name, lines, root, signature;
	size_t at = iq_view_find(note, mark);
	int64_t number;

	if (at == SIZE_MAX)
		return false;
	ret->text = rest = iq_view_make(note.data, at);
	if (!take_line(&rest, &name) || !take_line(&rest, &lines) || !take_line(&rest, &root) ||
	    !iq_view_eq(name, IQ_LIT(NAME)) || !iq_view_to_int64(lines, &number) || number < 1 ||
	    !decode(root, ret->head.root, IQ_SHA256_SIZE))
		return false;
	ret->head.lines = (uint64_t)number;
	rest = iq_view_from(note, at + mark.len);
	if (!take_line(&rest, &signature) || !decode(signature, bytes, sizeof(bytes)))
		return false;
	memcpy(ret->key_id, bytes, KEY_ID_SIZE);
	memcpy(ret->signature, bytes + KEY_ID_SIZE, IQ_ED25519_SIGNATURE_SIZE);
	return true;
}

static const struct iq_manifest_segment *find(const struct iq_manifest *manifest, const char *file)
{
	for (size_t i = 0; i < manifest->count; i++)
		if (strcmp(manifest->segments[i].file, file) == 0)
			return &manifest->segments[i];
	return NULL;
}

static void IQ_PRINTF(3, 4)
	tell(void (*changed)(void *context, const char *line), void *context, const char *format, ...)
{
	char line[256];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (changed)
		changed(context, line);
}

/* What the store holds that was not there when the head was signed, and the reverse. */
static void compare(const struct iq_manifest *then, const struct iq_manifest *now,
		    void (*changed)(void *context, const char *line), void *context, struct iq_proof *proof)
{
	for (size_t i = 0; i < now->count; i++) {
		const struct iq_manifest_segment *segment = &now->segments[i];

		proof->covered += segment->line <= then->lines.count;
		proof->unsigned_segments += segment->line > then->lines.count;
		if (segment->line > then->lines.count)
			tell(changed, context, "%s, events %" PRIu64 "-%" PRIu64 ": added after the head was signed",
			     segment->file, segment->summary.ids.first, segment->summary.ids.last);
	}
	for (size_t i = 0; i < then->count; i++) {
		const struct iq_manifest_segment *segment = &then->segments[i];

		if (find(now, segment->file))
			continue;
		proof->gone++;
		tell(changed, context,
		     "%s, events %" PRIu64 "-%" PRIu64 ": compacted or dropped after the head was signed",
		     segment->file, segment->summary.ids.first, segment->summary.ids.last);
	}
}

static int compare_lines(const char *path, const struct checkpoint *checkpoint,
			 void (*changed)(void *context, const char *line), void *context, struct iq_proof *proof,
			 struct iq_error *error)
{
	struct iq_manifest then = IQ_MANIFEST_INIT, now = IQ_MANIFEST_INIT;
	struct iq_head head;
	int rc = iq_manifest_read(path, &now, error);

	if (rc == 0 && now.lines.count < checkpoint->head.lines) {
		proof->reason = "lines of the manifest that were signed are gone";
		proof->now = now.lines.count;
		iq_manifest_release(&now);
		return 0;
	}
	if (rc == 0)
		rc = iq_manifest_read_lines(path, checkpoint->head.lines, &then, error);
	if (rc == 0)
		rc = head_of(&then, &head, error);
	proof->now = now.lines.count;
	if (rc == 0 && memcmp(head.root, checkpoint->head.root, IQ_SHA256_SIZE) != 0)
		proof->reason = "the manifest is not the one that was signed";
	else if (rc == 0)
		compare(&then, &now, changed, context, proof);
	iq_manifest_release(&then);
	iq_manifest_release(&now);
	return rc;
}

static const char *judge(const struct checkpoint *checkpoint, const uint8_t key[IQ_ED25519_KEY_SIZE])
{
	uint8_t id[KEY_ID_SIZE];

	key_id(key, id);
	if (memcmp(id, checkpoint->key_id, KEY_ID_SIZE) != 0)
		return "signed with another key";
	if (!iq_ed25519_verify(key, checkpoint->text, checkpoint->signature))
		return "the signature is wrong";
	return NULL;
}

int iq_store_prove(const char *path, const char *key_path, const char *checkpoint_path,
		   void (*changed)(void *context, const char *line), void *context, struct iq_proof *ret_proof,
		   struct iq_error *error)
{
	struct iq_proof proof = { 0 };
	struct checkpoint checkpoint;
	struct iq_buf note = IQ_BUF_INIT;
	uint8_t key[IQ_ED25519_KEY_SIZE];
	char *file = path_in(path, checkpoint_path);
	int rc = file ? iq_file_read(file, MAX_BYTES, &note, error) : iq_error_nomem(error);

	if (rc == 0)
		rc = iq_ed25519_public(key_path, key, error);
	if (rc == 0 && !parse_checkpoint(iq_buf_view(&note), &checkpoint)) {
		proof.reason = "not a signed head";
	} else if (rc == 0) {
		proof.signed_lines = checkpoint.head.lines;
		proof.reason = judge(&checkpoint, key);
		if (!proof.reason)
			rc = compare_lines(path, &checkpoint, changed, context, &proof, error);
	}
	if (rc == 0)
		*ret_proof = proof;
	iq_buf_release(&note);
	free(file);
	return rc;
}
