/*
 * filter SOCKET: a mail filter made with libmilter.  It writes a line for each callback, with some
 * macros, and changes a message by what its subject says: "change", "reject", "tempfail",
 * "discard", "quarantine", "slow" (progress for a while); its sender reject@... and recipients
 * reject@... are refused.
 */
#include <libmilter/mfapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct talk {
    char subject[256];
    size_t body;
};

static void note(SMFICTX *ctx, const char *what, const char *about, const char *macro)
{
    const char *value = macro ? smfi_getsymval(ctx, (char *)macro) : NULL;

    printf("%s %s%s%s%s%s\n", what, about, macro ? " " : "", macro ? macro : "", macro ? "=" : "",
           value   ? value
           : macro ? "(none)"
                   : "");
    fflush(stdout);
}

static sfsistat negotiate(SMFICTX *ctx, unsigned long f0, unsigned long f1, unsigned long f2,
                          unsigned long f3, unsigned long *pf0, unsigned long *pf1,
                          unsigned long *pf2, unsigned long *pf3)
{
    (void)f2;
    (void)f3;
    *pf0 = f0;
    *pf1 = f1 & (SMFIP_SKIP | SMFIP_RCPT_REJ | SMFIP_HDR_LEADSPC | SMFIP_NR_HDR);
    *pf2 = *pf3 = 0;
    smfi_setsymlist(ctx, SMFIM_ENVRCPT, (char *)"i {rcpt_addr}");
    return SMFIS_CONTINUE;
}

static sfsistat connected(SMFICTX *ctx, char *host, _SOCK_ADDR *address)
{
    (void)address;
    smfi_setpriv(ctx, calloc(1, sizeof(struct talk)));
    note(ctx, "connect", host, "{daemon_name}");
    return SMFIS_CONTINUE;
}

static sfsistat helo(SMFICTX *ctx, char *name)
{
    note(ctx, "helo", name, "{tls_version}");
    return SMFIS_CONTINUE;
}

static sfsistat envfrom(SMFICTX *ctx, char **argv)
{
    note(ctx, "mail", argv[0], "{mail_addr}");
    if (!strstr(argv[0], "reject@"))
        return SMFIS_CONTINUE;
    smfi_setreply(ctx, (char *)"550", (char *)"5.7.1", (char *)"not from you");
    return SMFIS_REJECT;
}

static sfsistat envrcpt(SMFICTX *ctx, char **argv)
{
    note(ctx, "rcpt", argv[0], "{rcpt_addr}");
    if (!strstr(argv[0], "reject@"))
        return SMFIS_CONTINUE;
    smfi_setmlreply(ctx, "550", "5.7.1", "not to you", "100%% sure", NULL);
    return SMFIS_REJECT;
}

static sfsistat data(SMFICTX *ctx)
{
    note(ctx, "data", "", NULL);
    return SMFIS_CONTINUE;
}

static sfsistat header(SMFICTX *ctx, char *name, char *value)
{
    struct talk *t = smfi_getpriv(ctx);

    note(ctx, name, value, NULL);
    if (strcasecmp(name, "Subject") == 0)
        snprintf(t->subject, sizeof t->subject, "%s", value);
    return SMFIS_NOREPLY;
}

static sfsistat eoh(SMFICTX *ctx)
{
    note(ctx, "eoh", "", NULL);
    return SMFIS_CONTINUE;
}

static sfsistat body(SMFICTX *ctx, unsigned char *p, size_t len)
{
    struct talk *t = smfi_getpriv(ctx);

    (void)p;
    t->body += len;
    return t->body > 200000 ? SMFIS_SKIP : SMFIS_CONTINUE;
}

static sfsistat change(SMFICTX *ctx)
{
    static const char text[] = "this is new\r\n";

    smfi_addheader(ctx, (char *)"X-Added", (char *)" by libmilter");
    smfi_insheader(ctx, 0, (char *)"X-First", (char *)" of all");
    smfi_chgheader(ctx, (char *)"Subject", 1, (char *)" changed");
    smfi_chgfrom(ctx, (char *)"<other@example.net>", NULL);
    smfi_addrcpt(ctx, (char *)"<bob>");
    smfi_delrcpt(ctx, (char *)"<alice>");
    smfi_replacebody(ctx, (unsigned char *)text, sizeof text - 1);
    return SMFIS_CONTINUE;
}

static sfsistat eom(SMFICTX *ctx)
{
    struct talk *t = smfi_getpriv(ctx);
    char size[32];

    snprintf(size, sizeof size, "%zu", t->body);
    note(ctx, "eom", size, "{msg_id}");
    t->body = 0;
    if (strstr(t->subject, "change"))
        return change(ctx);
    if (strstr(t->subject, "reject"))
        return SMFIS_REJECT;
    if (strstr(t->subject, "tempfail"))
        return SMFIS_TEMPFAIL;
    if (strstr(t->subject, "discard"))
        return SMFIS_DISCARD;
    if (strstr(t->subject, "quarantine"))
        smfi_quarantine(ctx, (char *)"to be looked at");
    for (int i = 0; i < 3 && strstr(t->subject, "slow"); i++) {
        usleep(300000);
        smfi_progress(ctx);
    }
    return SMFIS_CONTINUE;
}

static sfsistat aborted(SMFICTX *ctx)
{
    note(ctx, "abort", "", NULL);
    return SMFIS_CONTINUE;
}

static sfsistat closed(SMFICTX *ctx)
{
    free(smfi_getpriv(ctx));
    smfi_setpriv(ctx, NULL);
    note(ctx, "close", "", NULL);
    return SMFIS_CONTINUE;
}

static sfsistat unknown(SMFICTX *ctx, const char *line)
{
    note(ctx, "unknown", line, NULL);
    return SMFIS_CONTINUE;
}

int main(int argc, char **argv)
{
    struct smfiDesc d = {.xxfi_name = (char *)"filter",
                         .xxfi_version = SMFI_VERSION,
                         .xxfi_flags = SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_CHGBODY |
                                       SMFIF_ADDRCPT | SMFIF_DELRCPT | SMFIF_QUARANTINE |
                                       SMFIF_CHGFROM | SMFIF_SETSYMLIST,
                         .xxfi_connect = connected,
                         .xxfi_helo = helo,
                         .xxfi_envfrom = envfrom,
                         .xxfi_envrcpt = envrcpt,
                         .xxfi_header = header,
                         .xxfi_eoh = eoh,
                         .xxfi_body = body,
                         .xxfi_eom = eom,
                         .xxfi_abort = aborted,
                         .xxfi_close = closed,
                         .xxfi_unknown = unknown,
                         .xxfi_data = data,
                         .xxfi_negotiate = negotiate};

    if (argc != 2 || smfi_setconn(argv[1]) != MI_SUCCESS || smfi_register(d) != MI_SUCCESS)
        return 64;
    return smfi_main() == MI_SUCCESS ? 0 : 1;
}
