/*
 * newaliases: the program of that name, which `mcf' is when it is called so.
 *
 * It prints and exits as the reference's does: what is wrong goes to standard output, too, and an
 * alias file that cannot be read is no reason for another exit code than 0.  Unlike there, a
 * database is replaced whole.
 */
#ifndef MCF_COMPILER_NEWALIASES_H
#define MCF_COMPILER_NEWALIASES_H

int newaliases_main(int argc, char **argv);

#endif
