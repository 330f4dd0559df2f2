/* fuzz: what fuzz targets need to say that something does not hold. */
#ifndef MCF_TESTS_FUZZ_H
#define MCF_TESTS_FUZZ_H

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void out_of_memory(void *ctx)
{
    (void)ctx;
    abort();
}

static inline void must(int holds)
{
    if (!holds)
        abort();
}

#endif
