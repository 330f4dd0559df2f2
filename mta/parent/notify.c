#include "mta/parent/notify.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/fs.h"

void notify_ready(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    const size_t len = path ? strlen(path) : 0;
    char text[64];

    if (len < 2 || len >= sizeof sa.sun_path || (*path != '/' && *path != '@'))
        return;
    memcpy(sa.sun_path, path, len);
    if (*path == '@')
        sa.sun_path[0] = '\0'; /* a name that is in no folder */
    int n = snprintf(text, sizeof text, "READY=1\nMAINPID=%ld\n", (long)getpid());
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    sendto(fd, text, (size_t)n, MSG_NOSIGNAL, (struct sockaddr *)&sa,
           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
    fs_close(&fd);
}
