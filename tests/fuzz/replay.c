/* Runs a fuzz target over the files that are named, without libFuzzer: one line a file that is
 * done, so that of a target that dies the next file is the one. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        FILE *f = fopen(argv[i], "rb");
        if (!f || fseek(f, 0, SEEK_END) != 0) {
            perror(argv[i]);
            return 1;
        }
        long size = ftell(f);
        /* Exactly as large as the input, so that a sanitizer sees what is read behind it. */
        uint8_t *bytes = malloc(size > 0 ? (size_t)size : 1);
        rewind(f);
        if (!bytes || size < 0 || fread(bytes, 1, (size_t)size, f) != (size_t)size) {
            perror(argv[i]);
            return 1;
        }
        fclose(f);
        LLVMFuzzerTestOneInput(bytes, (size_t)size);
        free(bytes);
        printf("done %s\n", argv[i]);
        fflush(stdout);
    }
    return 0;
}
