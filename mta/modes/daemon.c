#include "mta/modes/mode.h"
#include "mta/parent/parent.h"
#include "mta/policy/worker.h"

int daemon_run(const struct mode_setup *m)
{
    const struct service *s = service_new(m->arena, m->program, m->world);
    struct parent_setup setup = {.program = m->program,
                                 .world = m->world,
                                 .host = s->host,
                                 .version = s->version,
                                 .error_text = s->error_text,
                                 .interval = m->given->interval,
                                 .listens = m->given->mode != MODE_QUEUE_RUNNER,
                                 .foreground = m->given->mode == MODE_DAEMON_FOREGROUND,
                                 .log = m->log,
                                 .arguments = m->given->argv,
                                 .dialogue = -1,
                                 .store = -1};

    return parent_run(m->arena, &setup);
}
