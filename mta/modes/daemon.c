#include "mta/modes/mode.h"
#include "mta/policy/worker.h"

struct parent_setup mode_roles(const struct mode_setup *m)
{
    const struct service *s = service_new(m->arena, m->program, m->world);

    return (struct parent_setup){.program = m->program,
                                 .world = m->world,
                                 .host = s->host,
                                 .version = s->version,
                                 .error_text = s->error_text,
                                 .log = m->log,
                                 .traffic = m->traffic,
                                 .arguments = m->given->argv,
                                 .dialogue = -1,
                                 .store = -1,
                                 .asks = -1,
                                 .brings = -1};
}

int daemon_run(const struct mode_setup *m)
{
    struct parent_setup setup = mode_roles(m);

    setup.interval = m->given->interval;
    setup.listens = m->given->mode != MODE_QUEUE_RUNNER;
    setup.foreground = m->given->mode == MODE_DAEMON_FOREGROUND || m->given->foreground;
    return parent_run(m->arena, &setup);
}
