/*
 * loop: what the parts of the front share: the loop, and the channels to the other roles.
 */
#ifndef MCF_MTA_LOOP_H
#define MCF_MTA_LOOP_H

#include <uv.h>

#include "mta/channel.h"
#include "mta/front/client.h"
#include "mta/front/front.h"
#include "mta/front/session.h"

enum {
    FRONT_BUCKETS = 1024,
    FRONT_READ = 16 << 10,     /* bytes of a peer that are read at once */
    FRONT_STORE_FULL = 8 << 20 /* bytes that wait for the store: no body is taken then */
};

struct serve; /* a client's connection */
struct relay; /* a plan that is carried out */
struct wire;  /* a connection of ours */
struct counts;
struct doors;

struct link {
    struct front *front;
    struct channel *channel;
    uv_poll_t poll;
};

struct front {
    const struct front_setup *setup;
    struct arena *arena;
    uv_loop_t loop;
    struct link policy, store, parent;
    struct session_settings session;
    struct client_settings client;
    struct serve *sessions[FRONT_BUCKETS]; /* by id */
    struct relay *relays[FRONT_BUCKETS];   /* by delivery */
    struct wire *idle;                     /* connections that are kept, newest first */
    size_t keep;                           /* so many at most */
    uint64_t keep_ms, connect_ms;
    struct counts *counts;
    struct doors *doors;
    const struct listener *listeners; /* by number */
    uint64_t ids;                     /* of sessions and transactions */
    bool stopping;
    bool deprived;  /* stopping, without policy: nobody can be served */
    size_t clients; /* sessions */
    size_t open;    /* sessions and deliveries */
};

void front_send(struct link *l, const struct message *m);

#endif
