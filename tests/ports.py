"""Ports for programs that cannot be given 0."""
import random
import socket

# Below those that systems give to whoever asks for any, which other tests do at the same time.
FIRST, LAST = 20000, 32000


def free_port():
    while True:
        port = random.SystemRandom().randrange(FIRST, LAST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
