/*
 * Bytes from another role, in pieces: what a channel gives are messages for its side, the same
 * however the bytes came, and behind a broken one comes nothing.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mta/channel.h"
#include "tests/fuzz/fuzz.h"

enum { MOST = 32 << 10 };

struct heard {
    size_t messages;
    enum channel_state state;
};

/* Writes size bytes in pieces and reads them with a channel of the store. */
static struct heard hear(struct arena *a, const uint8_t *data, size_t size, size_t piece)
{
    struct heard h = {0, CHANNEL_OPEN};
    int fd[2];

    must(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
    struct channel *c = channel_new(a, fd[1], ROLE_STORE, ROLE_FRONT);
    for (size_t at = 0; at <= size; at += piece) {
        size_t n = size - at < piece ? size - at : piece;
        struct message m;
        int own;
        must(n == 0 || write(fd[0], data + at, n) == (ssize_t)n);
        channel_read(c);
        while (channel_next(c, a, &m, &own)) {
            must(message_is_for(m.kind, ROLE_FRONT, ROLE_STORE) && own == -1);
            must(channel_state(c) == CHANNEL_OPEN);
            h.messages++;
        }
    }
    h.state = channel_state(c);
    close(fd[0]);
    channel_free(c);
    return h;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(out_of_memory, NULL);

    if (size > 0 && size < MOST) {
        struct heard whole = hear(a, data, size, size);
        struct heard parts = hear(a, data, size, 1 + size / 7);
        must(whole.messages == parts.messages && whole.state == parts.state);
    }
    arena_free(a);
    return 0;
}
