#include "mta/parent/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/fs.h"

/* --- as whom ------------------------------------------------------------------------------ */

static void set_user(struct arena *a, struct sandbox *s, const struct passwd *pw)
{
    s->uid = pw->pw_uid;
    s->gid = pw->pw_gid;
    s->user = arena_strdup(a, pw->pw_name);
}

/* "user", "uid", each with ":group" or ":gid".  What the system does not know was said when the
 * configuration was read. */
static bool run_as(struct arena *a, const char *text, struct sandbox *s)
{
    static const char ends[] = ":./";
    const size_t n = strcspn(text, ends);
    const char *user = arena_strndup(a, text, n), *group = text + n + (text[n] != '\0');
    char *end;
    const unsigned long uid = strtoul(user, &end, 10);
    const struct passwd *pw = end == user ? getpwnam(user) : getpwuid((uid_t)uid);

    if (pw)
        set_user(a, s, pw);
    else if (end == user || uid > INT32_MAX)
        return false;
    else
        s->uid = (uid_t)uid, s->gid = (gid_t)uid;
    if (!*group)
        return true;
    const unsigned long gid = strtoul(group, &end, 10);
    const struct group *g = end == group ? getgrnam(group) : NULL;
    if (end == group && !g)
        return false;
    s->gid = g ? g->gr_gid : (gid_t)gid;
    return true;
}

static bool usual_user(struct arena *a, const char *queue, struct sandbox *s)
{
    static const char *const usual[] = {"smmta", "mail", "daemon", "nobody"};
    struct stat st;
    const struct passwd *pw = NULL;

    if (stat(queue, &st) == 0 && st.st_uid != 0) {
        s->uid = st.st_uid;
        s->gid = st.st_gid;
        pw = getpwuid(st.st_uid);
        if (pw)
            set_user(a, s, pw);
        return true;
    }
    for (size_t i = 0; !pw && i < sizeof usual / sizeof *usual; i++)
        pw = getpwnam(usual[i]);
    if (pw)
        set_user(a, s, pw);
    return pw != NULL;
}

static bool has_program_map(const struct config *c)
{
    for (const struct item *it = c->first; it; it = it->next) {
        if (it->kind == ITEM_MAP && it->aux && strcasecmp(it->aux, "program") == 0)
            return true;
    }
    return false;
}

bool sandbox_plan(struct arena *a, const struct program *p, struct sandbox *s, const char **why)
{
    const char *run = setting_text(p, "RunAsUser"), *queue = setting_text(p, "QueueDirectory");

    *s = (struct sandbox){.user = "", .programs = has_program_map(p->config)};
    s->queue = fs_join(a, queue, "mcfd.queue");
    if (geteuid() != 0)
        return true;
    if (*run && !run_as(a, run, s)) {
        *why = arena_printf(a, "RunAsUser=%s: there is no such user or group", run);
        return false;
    }
    if (s->uid == 0 && !usual_user(a, queue, s)) {
        *why = "there is no user to become: set RunAsUser";
        return false;
    }
    return true;
}

/* --- root, user, capabilities ------------------------------------------------------------- */

/* A folder that is empty, and stays so: nothing can be made in one that has no name. */
static const char *empty_root(void)
{
    char path[PATH_MAX];
    static const char *const places[] = {"/run", "/tmp", "/var/tmp", "/"};

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        snprintf(path, sizeof path, "%s/mcfd.XXXXXX", places[i]);
        if (!mkdtemp(path))
            continue;
        if (chdir(path) == 0 && rmdir(path) == 0)
            return chroot(".") == 0 ? NULL : "chroot";
        rmdir(path);
    }
    return "an empty folder";
}

static const char *drop_bounds(void)
{
    for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0)
            return "the bounding set";
    }
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return NULL;
}

static const char *keep_capabilities(uint32_t kept)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
        {.effective = kept, .permitted = kept}};

    return syscall(SYS_capset, &head, data) == 0 ? NULL : "capset";
}

static const char *become_user(const struct sandbox *s, enum role r)
{
    const char *failed = drop_bounds();

    if (failed)
        return failed;
    prctl(PR_SET_KEEPCAPS, r == ROLE_POLICY, 0, 0, 0);
    if (r == ROLE_FRONT || !*s->user ? setgroups(0, NULL) : initgroups(s->user, s->gid))
        return "groups";
    if (setresgid(s->gid, s->gid, s->gid) || setresuid(s->uid, s->uid, s->uid))
        return s->user;
    prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
    return keep_capabilities(r == ROLE_POLICY ? 1U << CAP_DAC_READ_SEARCH : 0);
}

static void set_limit(__rlimit_resource_t what, rlim_t most)
{
    const struct rlimit limit = {most, most};

    setrlimit(what, &limit);
}

static void set_limits(const struct sandbox *s, enum role r)
{
    struct rlimit files;

    set_limit(RLIMIT_CORE, 0);
    if (r == ROLE_FRONT) {
        if (!s->traffic)
            set_limit(RLIMIT_FSIZE, 0);
        set_limit(RLIMIT_NPROC, 0);
    }
    /* A connection is a descriptor; in policy one to a filter. */
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

/* --- files: Landlock ---------------------------------------------------------------------- */

/* As the kernel has it since version 6; an older one takes as much of it as it knows. */
struct rules_attr {
    uint64_t files, ports, scoped;
};

enum {
    FIRST_RIGHTS = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1,
    RIGHT_REFER = 1 << 13,    /* since version 2 */
    RIGHT_TRUNCATE = 1 << 14, /* 3 */
    RIGHT_DEVICE = 1 << 15,   /* 5 */
    PORTS = 3,                /* bind and connect of TCP: 4 */
    SCOPED_SIGNAL = 1 << 1,   /* 6 */
    READ = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
    WRITE = LANDLOCK_ACCESS_FS_WRITE_FILE | RIGHT_TRUNCATE,
    MAKE = LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE
};

static struct rules_attr rules_of(long version, enum role r)
{
    struct rules_attr a = {.files = FIRST_RIGHTS};

    a.files |= version >= 2 ? RIGHT_REFER : 0U;
    a.files |= version >= 3 ? RIGHT_TRUNCATE : 0U;
    a.files |= version >= 5 ? RIGHT_DEVICE : 0U;
    a.ports = version >= 4 && r == ROLE_STORE ? PORTS : 0U;
    a.scoped = version >= 6 ? SCOPED_SIGNAL : 0U;
    return a;
}

/* What is not there needs no rule. */
static bool allow(int rules, const struct rules_attr *known, const char *path, uint64_t rights)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = rights & known->files};

    rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0)
        return errno == ENOENT;
    long rc = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0U);
    close(rule.parent_fd);
    return rc == 0;
}

static bool allow_role(int rules, const struct rules_attr *known, const struct sandbox *s,
                       enum role r)
{
    if (r == ROLE_STORE)
        return allow(rules, known, ".", READ | WRITE | MAKE) &&
               (!s->drop || allow(rules, known, s->drop, READ | WRITE | MAKE));
    if (r != ROLE_POLICY)
        return true;
    return allow(rules, known, "/", READ | LANDLOCK_ACCESS_FS_EXECUTE) &&
           allow(rules, known, "/dev", WRITE | RIGHT_DEVICE) &&
           (!s->programs || (allow(rules, known, "/tmp", WRITE | MAKE) &&
                             allow(rules, known, "/var/tmp", WRITE | MAKE)));
}

/* *rules: a descriptor, or -1: the kernel has none. */
static bool make_rules(const struct sandbox *s, enum role r, int *rules)
{
    long version =
        syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, LANDLOCK_CREATE_RULESET_VERSION);

    *rules = -1;
    if (version <= 0)
        return true;
    struct rules_attr attr = rules_of(version, r);
    size_t size = version >= 6   ? sizeof attr
                  : version >= 4 ? offsetof(struct rules_attr, scoped)
                                 : offsetof(struct rules_attr, ports);
    *rules = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0U);
    if (*rules >= 0)
        fcntl(*rules, F_SETFD, FD_CLOEXEC);
    return *rules >= 0 && allow_role(*rules, &attr, s, r);
}

static const char *confine(int rules)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return "no new privileges";
    if (rules >= 0 && syscall(SYS_landlock_restrict_self, rules, 0U) != 0)
        return "Landlock";
    fs_close(&rules);
    return NULL;
}

/* --- system calls ------------------------------------------------------------------------- */

/* Sanitizers have calls of their own, for their reports. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const uint32_t otherwise = SCMP_ACT_ERRNO(EACCES);
#else
static const uint32_t otherwise = SCMP_ACT_KILL_PROCESS;
#endif

struct call {
    int number;
    uint32_t action;
};

static const struct call of_front[] = {
#define CALL(name) {SCMP_SYS(name), SCMP_ACT_ALLOW},
#define TRIED(name) {SCMP_SYS(name), SCMP_ACT_ERRNO(EACCES)},
#include "mta/parent/calls.def"
};

static const struct call forbidden[] = {
#define FORBIDDEN(name) {SCMP_SYS(name), SCMP_ACT_KILL_PROCESS},
#define ALONE(name)
#include "mta/parent/forbidden.def"
};

static const struct call forbidden_alone[] = {
#define FORBIDDEN(name)
#define ALONE(name) {SCMP_SYS(name), SCMP_ACT_KILL_PROCESS},
#include "mta/parent/forbidden.def"
};

static bool add_calls(scmp_filter_ctx f, const struct call *calls, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (calls[i].action == otherwise && calls == of_front)
            continue; /* with sanitizers: all others are answered so */
        if (seccomp_rule_add(f, calls[i].action, calls[i].number, 0) != 0)
            return false;
    }
    return true;
}

/* Calls of the front that are right with some arguments only. */
static bool add_narrow_calls(scmp_filter_ctx f)
{
    static const int families[] = {AF_INET, AF_INET6};
    static const int protections[] = {SCMP_SYS(mmap), SCMP_SYS(mprotect)};
    bool good = true;

    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        good = good && seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
                                        SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]),
                                        SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, SOCK_STREAM)) == 0;
    for (size_t i = 0; i < sizeof protections / sizeof *protections; i++)
        good = good && seccomp_rule_add(f, SCMP_ACT_ALLOW, protections[i], 1,
                                        SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0;
    return good &&
           seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, FIONBIO)) ==
               0 &&
           /* Its own limits, which stay. */
           seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, SCMP_A2(SCMP_CMP_EQ, 0)) ==
               0;
}

static const char *filter_calls(enum role r)
{
    const bool front = r == ROLE_FRONT;
    scmp_filter_ctx f = seccomp_init(front ? otherwise : SCMP_ACT_ALLOW);
    bool good = f != NULL;

    if (front)
        good = good && add_calls(f, of_front, sizeof of_front / sizeof *of_front) &&
               add_narrow_calls(f);
    else
        good = good && add_calls(f, forbidden, sizeof forbidden / sizeof *forbidden);
    if (r == ROLE_STORE)
        good =
            good && add_calls(f, forbidden_alone, sizeof forbidden_alone / sizeof *forbidden_alone);
    int rc = good ? seccomp_load(f) : -EINVAL;
    if (f)
        seccomp_release(f);
    if (rc < 0)
        errno = -rc;
    return rc == 0 ? NULL : "the filter of system calls";
}

/* ------------------------------------------------------------------------------------------ */

const char *sandbox_enter(const struct sandbox *s, enum role r)
{
    const char *failed = NULL;
    int rules;

    tzset(); /* what is read here is not there any more */
    if (r == ROLE_STORE && chdir(s->queue) != 0)
        return s->queue;
    if (!make_rules(s, r, &rules))
        return "Landlock";
    set_limits(s, r);
    if (s->uid != 0 && r == ROLE_FRONT)
        failed = empty_root();
    if (!failed && s->uid != 0)
        failed = become_user(s, r);
    if (!failed)
        failed = confine(rules);
    /* Behind the change of user, which undoes it. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    return failed ? failed : filter_calls(r);
}
