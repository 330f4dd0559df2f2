/* version: what `mcf --version` and the macro Z say. */
#ifndef MCF_COMPILER_VERSION_H
#define MCF_COMPILER_VERSION_H

#define MCF_VERSION "0.1"

/* With the program and the libraries that are used, and those that are not there; m4 is asked. */
void version_print(void);

#endif
