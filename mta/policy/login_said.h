/*
 * login_said: what policy says of AUTH at a host (LOGIN_SAID.said in protocol.def).
 */
#ifndef MCF_MTA_LOGIN_SAID_H
#define MCF_MTA_LOGIN_SAID_H

enum login_said {
    LOGIN_WITHOUT,      /* we are nobody there */
    LOGIN_START,        /* AUTH with this mechanism, and perhaps a response */
    LOGIN_RESPOND,      /* the response to a challenge */
    LOGIN_NO_MECHANISM, /* none of those offered will do */
    LOGIN_ABORT         /* the challenge has no answer */
};

#endif
