/*
 * makemap: the program of that name, which `mcf' is when it is called so.
 *
 * Options, exit codes (sysexits: 64 use, 65 bad lines, 66 the .cf cannot be read, 73 the map cannot
 * be opened or made, 74 it cannot be written) and what becomes of a line are the reference's.  The
 * lines that are good are installed even where others are not; unlike there, all at once.
 */
#ifndef MCF_COMPILER_MAKEMAP_H
#define MCF_COMPILER_MAKEMAP_H

int makemap_main(int argc, char **argv);

#endif
