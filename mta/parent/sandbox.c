#include "mta/parent/sandbox.h"

bool sandbox_enter(const struct program *p, enum role r)
{
    (void)p;
    (void)r;
    return true;
}
