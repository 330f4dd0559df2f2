/*
 * notify: tells the service manager that started us that we work (sd_notify(3)).
 *
 * Its socket is the environment's NOTIFY_SOCKET, which stays there for a restart; nobody listens
 * where that is not set.
 */
#ifndef MCF_MTA_NOTIFY_H
#define MCF_MTA_NOTIFY_H

/* By the process that is to be signalled; what cannot be said is left. */
void notify_ready(void);

#endif
