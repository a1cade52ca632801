/* wire/listen.h - where a server of ours listens, as it is written on a command line. */
#ifndef IQ_WIRE_LISTEN_H
#define IQ_WIRE_LISTEN_H

#include <sys/socket.h>

#include "base/base.h"

/* `9000`, `HOST:9000` or `[HOST]:9000` with HOST an address or `localhost`; without one it is loopback. Port 0: any that is free.
 * 0, or IQ_ERR_USAGE with how it is written. */
int iq_listen_address(const char *text, struct sockaddr_storage *ret_address, struct iq_error *error);

#endif
