/* version: what `mcf --version` and the macro Z say. */
#ifndef MCF_COMPILER_VERSION_H
#define MCF_COMPILER_VERSION_H

#define MCF_VERSION "0.1"

#endif
