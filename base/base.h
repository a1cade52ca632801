/* base/base.h - the door of base/: what every other folder builds on. Includes nothing above it.
 */
#ifndef IQ_BASE_BASE_H
#define IQ_BASE_BASE_H

#include <inquest/base.h>

#include "base/arena.h"
#include "base/array.h"
#include "base/base64.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/ed25519.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/literals.h"
#include "base/map.h"
#include "base/merkle.h"
#include "base/scan.h"
#include "base/utf8.h"
#include "base/view.h"

#endif
