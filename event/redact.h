/* event/redact.h - secrets out of events, before anything keeps them.
 *
 * A secret becomes a *tag*, `‹jwt:3f9a...›`: what form it has, and the first 80 bits of HMAC-SHA-256 (RFC 2104) over its own
 * characters, escapes of JSON and URLs undone. So equal secrets are equal tags, wherever and however they are written, and nobody
 * without the key can find out by trying what a tag stands for. The form is told from the secret alone (`jwt`, `pem`, `vendor`, `email`,
 * else `secret`), never from the place where it was found.
 *
 * A secret is found by its form, or by its place: behind a name (`"password":`, `token=`, `Authorization:`), in quotation marks of any
 * depth of JSON strings, or without any. Everything is one pass over the bytes whose candidates come from iq_literals; all that is
 * looked at for one candidate is bounded or consumed, so time is linear in the text. Free of I/O. One thread at a time.
 */
#ifndef IQ_EVENT_REDACT_H
#define IQ_EVENT_REDACT_H

#include <inquest/event.h>

#include "base/base.h"

#define IQ_REDACT_KEY_SIZE 32
/* Characters on each side that may belong to a name; what is longer is no name. */
#define IQ_REDACT_MAX_NAME 96
/* Characters of a value whose name may come behind it. */
#define IQ_REDACT_MAX_VALUE 8192
/* Secrets of one event that are looked for in its names. */
#define IQ_REDACT_MAX_REMEMBERED 32
/* Keys in PEM form that are open at a time, each a line an event; events until one is given up. */
#define IQ_REDACT_MAX_OPEN_PEM 16
#define IQ_REDACT_MAX_PEM_LINES 256

enum iq_redact_preset {
	IQ_REDACT_AUTHORIZATION, /* Authorization headers, `Bearer ...` and `Basic ...` in texts */
	IQ_REDACT_COOKIES,	 /* values in Cookie and Set-Cookie, and members called cookies */
	IQ_REDACT_BEARER,	 /* tokens and passwords in URLs, tokens in Sec-WebSocket-Protocol */
	IQ_REDACT_JWT,
	IQ_REDACT_PEM,	  /* private keys */
	IQ_REDACT_VENDOR, /* keys that are known by how they begin: AKIA..., ghp_..., sk-... */
	IQ_REDACT_FIELDS, /* values of password, token, secret, api_key and the like */
	IQ_REDACT_EMAIL,
	IQ_REDACT_PRESETS
};
#define IQ_REDACT_ALL ((1u << IQ_REDACT_PRESETS) - 1u)

/* `authorization`; NULL out of range. Static. */
const char *iq_redact_preset_name(enum iq_redact_preset preset);
/* `jwt,email`, or `all`; false where a word is none. */
bool iq_redact_parse_presets(struct iq_view text, uint32_t *ret_presets);

struct iq_redactor;

/* `presets`: a bit for each enum iq_redact_preset. Caller owns; release with iq_redactor_free(). 0 or IQ_ERR_NOMEM. */
int iq_redactor_new(const uint8_t key[IQ_REDACT_KEY_SIZE], uint32_t presets, struct iq_redactor **ret_redactor);
void iq_redactor_free(struct iq_redactor *redactor); /* NULL allowed */
/* `authorization,jwt key 3f9a...`, `all key ...`: what is replaced, and which key it is (64 bits of a HMAC, which tell nothing of it). Equal
 * labels, equal tags. Borrowed until the redactor is freed. */
struct iq_view iq_redactor_label(const struct iq_redactor *redactor);
/* How many were replaced so far. */
uint64_t iq_redactor_count(const struct iq_redactor *redactor);

/* The text with tags: `text` itself where nothing was replaced, else appended to `scratch`. Borrowed until the text goes or
 * `scratch` changes. 0 or IQ_ERR_NOMEM. */
int iq_redactor_text(struct iq_redactor *redactor, struct iq_view text, struct iq_buf *scratch,
		     struct iq_view *ret_text);

/* A sink that gives to `next` what it is given, redacted: body, attrs, names, and the texts of gaps. Secrets of the body and attrs that
 * are an event's type, key, session or source go there as well. Also begins a new stream: forgets what was open. Both sinks: Borrowed
 * until the redactor is freed. */
const struct iq_sink *iq_redactor_sink(struct iq_redactor *redactor, const struct iq_sink *next);

#endif
