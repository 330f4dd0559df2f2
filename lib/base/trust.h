/*
 * trust: whether a file may be trusted: whoever could write it, or put another one in its place,
 * could have written what is in it.
 *
 * What is looked at are the folders that the path names, from the root on, symbolic links to
 * folders as well as the folders that these lead through; then the file.  Whether it may be read is
 * decided by its mode and its folders', for root too: what its owner took from himself, or others
 * from root, is not read.  A file's kind says which words of DontBlameSendmail forgive what.
 *
 * What is wrong has the words that sendmail has for it ("Group writable directory"), the path that
 * is at fault, which may be a folder far above the file, and the command that mends it.
 *
 * It looks, and opens nothing: whoever opens the file afterwards has what was there a moment ago,
 * which is only another file if somebody could write where it was decided that nobody can.
 */
#ifndef MCF_BASE_TRUST_H
#define MCF_BASE_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

struct arena;

/* Somebody whose right to read a file is asked for. */
struct trust_reader {
    const char *name; /* for commands; NULL: as a number */
    uid_t uid;
    gid_t gid;
    const gid_t *groups;
    size_t ngroups;
};

/* Words of DontBlameSendmail; NULL: nothing forgives it; "": nobody minds. */
struct trust_kind {
    const char *folder;       /* folders that others write to are forgiven */
    const char *group_folder; /* those that a group writes to, as GroupWritableDirPathSafe does */
    const char *link;         /* the file may be a link in a folder that others write to */
    const char *group_file;   /* its group may write it */
    const char *world_file;   /* everybody may */
    bool minds_writers;       /* of the file itself */
    bool minds_readers;       /* false: it may be read by whoever asks */
    bool minds_owner;         /* it is the reader's, root's, or his who is trusted */
    const char *group_reader; /* nobody else may read it; its group may by this word */
};

struct trust {
    const struct trust_reader *reader; /* NULL: this process */
    bool (*forgives)(const void *ctx, const char *word);
    const void *ctx;
    const uid_t *trusted; /* whose files are as good as root's; NULL: nobody's */
};

struct trust_fault {
    int error;           /* errno: it is not there, or cannot be read; 0: it is not trusted */
    const char *why;     /* never NULL */
    const char *path;    /* what is at fault; never NULL */
    const char *file;    /* what was asked about; never NULL */
    const char *command; /* NULL: nothing simple mends it */
};

/* Kinds of files: lib/base/trusted.def tells which file is of which. */
#define TRUSTED(name, folder, group_folder, link, group_file, world_file, writers, readers, owner, \
                secret)                                                                            \
    extern const struct trust_kind trust_##name;
#include "lib/base/trusted.def"

/* True: it may be trusted.  path: absolute, or below the working folder. */
bool trust_file(struct arena *a, const struct trust *t, const struct trust_kind *kind,
                const char *path, struct trust_fault *fault);
/* The same of the folders that lead to it alone. */
bool trust_folders(struct arena *a, const struct trust *t, const struct trust_kind *kind,
                   const char *path, struct trust_fault *fault);
/* Whether the mode lets him: may is S_IRUSR, S_IWUSR or S_IXUSR.  NULL: this process. */
bool trust_allows(const struct trust_reader *r, const struct stat *st, mode_t may);
/* Takes the right to write from whom the mode gives it beside the owner. */
const char *trust_command_to_close(struct arena *a, mode_t mode, const char *path);
/* "why; mend it: command", for people; only why where there is no command. */
const char *trust_said(struct arena *a, const struct trust_fault *f);

#endif
