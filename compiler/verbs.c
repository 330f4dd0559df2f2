#include "compiler/verbs.h"

#include <stdio.h>
#include <stdlib.h>

void verb_out_of_memory(void *ctx)
{
    (void)ctx;
    fputs("mcf: out of memory\n", stderr);
    exit(EXIT_SYSTEM);
}
