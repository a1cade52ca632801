/* ingest/attached.h - files that lie beside a HAR and hold what it does not: Playwright writes so with `content: 'attach'`, into a
 * directory or a zip. They are named
 *	DIGITS.jsonl	by 32 digits: the messages of a WebSocket
 *	SHA1.EXTENSION	by 40 digits: the text of a request or a response
 *
 * Each is evidence of its own. That its events get the session and the source which the HAR's `ws.open` has is a matter of names alone:
 * both name the session after the file, and the source after the directory or archive in which the file lies. So neither has to be
 * read before the other, or at all.
 */
#ifndef IQ_INGEST_ATTACHED_H
#define IQ_INGEST_ATTACHED_H

#include "base/base.h"

enum iq_attached { IQ_ATTACHED_NOT, IQ_ATTACHED_MESSAGES, IQ_ATTACHED_CONTENT };

/* What a file may be by its name. */
enum iq_attached iq_attached_of(struct iq_view path);
/* Appends the name of the session. `file` is a path, or how a HAR names it. */
void iq_attached_session(struct iq_view file, struct iq_buf *name);
/* Appends the source. `har` is the path of the HAR that names `file`; NULL where that is a whole path itself. */
void iq_attached_source(struct iq_view har, struct iq_view file, struct iq_buf *source);

#endif
