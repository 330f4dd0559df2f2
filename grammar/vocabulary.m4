divert(-1)
# The vocabulary of .mc files: what each directive says to the compiler.
#
# Frozen at build time (m4 -F) together with build/tables.m4 and build/library.m4, which are made from
# lib/model/*.def and rulesets/; handed to m4 through a memory file at run time.  The compiler reads
# two streams:
#
#   standard error: records, one a directive, in order of execution:
#       KEY R <id> <kind> <line> <n>KEY<file>KEY<arg>KEY<arg>...KEY  (always ten arguments and a newline;
#         n counts the kind and the arguments, of which those behind the tenth are not told)
#     KEY stands for the eight characters below, which the compiler replaces in the frozen state by
#     random ones of the same length for each run: a file's own text cannot know them.
#   standard output: the .mc's own text, and frames placed among it in the diversion where the
#     directive's effect belongs:
#       KEY @ <id>      the frame's text, expanded by m4, follows up to
#       KEY .
#     After the last file _mcf_finish writes, section by section, what the diversions hold, and the
#     value of every macro that rulesets/ or the table of options reads (build/wanted.m4):
#       KEY # <n>       section n begins
#       KEY=            the value of the next name of build/wanted.m4 follows, up to the next KEY and a
#                       line end less; m4 gives the name itself where there is no such macro
#       KEY =<n>:       the same in a frame, for the name of that number (rule_library.at_calls)
#       KEY !           everything is there
#
# Names that begin with _mcf_ are ours; all others are the .mc language or are tested by site files.
# Text here is expanded with default quotes, so an .mc that changes them puts them back before it
# calls a directive.  Only include and sinclude, being built in elsewhere, work under any quotes.

# --- what a file may not do --------------------------------------------------------------------
# No name is left for the builtins that start programs, write files or change what m4 reports;
# builtin() knows only copies of the others, and indir() reaches nothing that has no name.
define(`_mcf_copy', `define(`_mcf_builtin_$1', defn(`$1'))')
_mcf_copy(`changecom') _mcf_copy(`changequote') _mcf_copy(`decr') _mcf_copy(`define')
_mcf_copy(`defn') _mcf_copy(`divert') _mcf_copy(`divnum') _mcf_copy(`dnl') _mcf_copy(`eval')
_mcf_copy(`format') _mcf_copy(`ifdef') _mcf_copy(`ifelse') _mcf_copy(`incr') _mcf_copy(`index')
_mcf_copy(`indir') _mcf_copy(`len') _mcf_copy(`m4exit') _mcf_copy(`m4wrap') _mcf_copy(`patsubst')
_mcf_copy(`popdef') _mcf_copy(`pushdef') _mcf_copy(`regexp') _mcf_copy(`shift') _mcf_copy(`substr')
_mcf_copy(`translit') _mcf_copy(`undefine') _mcf_copy(`undivert') _mcf_copy(`__file__')
_mcf_copy(`__line__')
# Ours under names that are not traced, so that a trace tells only what the .mc itself defines.
define(`_mcf_define', defn(`define'))
define(`_mcf_undefine', defn(`undefine'))
define(`_mcf_pushdef', defn(`pushdef'))
define(`_mcf_popdef', defn(`popdef'))
define(`_mcf_errprint', defn(`errprint'))
define(`_mcf_include', defn(`include'))
define(`_mcf_sinclude', defn(`sinclude'))

# --- records -------------------------------------------------------------------------------------
define(`_mcf_id', 0)
# _mcf_rec(kind, args...): writes a record; its id is _mcf_id afterwards.
define(`_mcf_rec', `_mcf_define(`_mcf_id', incr(_mcf_id))_mcf_errprint(`@mcf0@ R '_mcf_id` $1 '__line__` $#@mcf0@'__file__`@mcf0@$2@mcf0@$3@mcf0@$4@mcf0@$5@mcf0@$6@mcf0@$7@mcf0@$8@mcf0@$9@mcf0@$10@mcf0@$11@mcf0@
')')
# _mcf_frame(diversion, id, text): places the frame of record id, and goes back to diversion -1; text is
# expanded there.
define(`_mcf_frame', `divert($1)`@mcf0@ @ $2'
$3
`@mcf0@ .'
divert(-1)')

define(`errprint', `ifelse(`$#', 0, ``errprint'', `_mcf_rec(`errprint', `$*')')')
# Where commands are allowed the compiler passes _mcf_allow_commands and the text of this file in
# place of the frozen state, so that there is a builtin to keep; the frozen state has none.
ifdef(`_mcf_allow_commands', `_mcf_copy(`syscmd') _mcf_copy(`esyscmd')',
`define(`syscmd', `ifelse(`$#', 0, ``syscmd'', `_mcf_rec(`command', `syscmd', `$1')')')
define(`esyscmd', `ifelse(`$#', 0, ``esyscmd'', `_mcf_rec(`command', `esyscmd', `$1')')')
_mcf_copy(`syscmd') _mcf_copy(`esyscmd')')
define(`_mcf_refuse', `define(`$1', `ifelse(`$'`#', 0, ``$1'', `_mcf_rec(`refused', `$1')')')define(`_mcf_builtin_$1', defn(`$1'))')
_mcf_refuse(`debugfile') _mcf_refuse(`debugmode') _mcf_refuse(`traceon') _mcf_refuse(`traceoff')
_mcf_refuse(`maketemp') _mcf_refuse(`mkstemp') _mcf_refuse(`dumpdef')
_mcf_copy(`errprint')
define(`_mcf_m4exit', defn(`m4exit'))
define(`m4exit', `_mcf_rec(`m4exit', $@)_mcf_m4exit($@)')
_mcf_copy(`m4exit')
define(`builtin', `ifelse(`$#', 0, ``builtin'', `ifdef(`_mcf_builtin_$1', `indir(`_mcf_builtin_$1'ifelse($#, 1, , `, shift($@)'))', `_mcf_rec(`refused', `builtin(`$1')')')')')
# Names that the reference removes, since .mc text uses the words.
undefine(`format') undefine(`hpux') undefine(`__gnu__') undefine(`__unix__') undefine(`unix')

# include: a path that ends in m4/cf.m4 (or is cf.m4) means this vocabulary, and what m4 itself has
# open (this text, with its key, and its own output) is no file.  As in m4 the bare words are text.
define(`include', `ifelse(`$#', 0, ``include'', _mcf_is_cf(`$1'), 1, `_mcf_cf(`$1')', `_mcf_other(`_mcf_include', `$1')')')
define(`sinclude', `ifelse(`$#', 0, ``sinclude'', _mcf_is_cf(`$1'), 1, `_mcf_cf(`$1')', `_mcf_other(`_mcf_sinclude', `$1')')')
define(`_mcf_other', `ifelse(_mcf_is_open(`$2'), 1, `_mcf_rec(`open', `$2')', `$1(`$2')')')
define(`_mcf_is_open', `eval(regexp(`$1', `\(^\|/\)\(proc/.*fd/\|dev/\(fd/\|std\)\)') >= 0)')
define(`_mcf_is_cf', `ifelse(`$1', `cf.m4', 1, substr(`$1', eval(len(`$1') - 6)), `/cf.m4', 1, 0)')
define(`_mcf_cf', `changecom`'_mcf_rec(`cf', `$1')_mcf_define(`_CF_DIR_', _mcf_folder(`$1', eval(len(`$1') - 5), eval(len(`$1') - 8)))ifdef(`_mcf_loaded', `', `_mcf_define(`_mcf_loaded')ifdef(`_mcf_given', `_mcf_define(`_mcf_preset', defn(`_mcf_preset_unless_given'))')_mcf_presets`'')')
define(`_mcf_folder', `ifelse(substr(`$1', `$3', 3), `m4/', `substr(`$1', 0, `$3')', `substr(`$1', 0, `$2')')')
_mcf_copy(`include') _mcf_copy(`sinclude')

# --- helpers that site files call ----------------------------------------------------------------
define(`PUSHDIVERT', `_mcf_pushdef(`__D__', divnum)divert($1)')
define(`POPDIVERT', `divert(__D__)_mcf_popdef(`__D__')')
define(`_mcf_nothing', `')
define(`_DEFIFNOT', `ifdef(`$1', `_mcf_nothing', `_mcf_define')(`$1', `$2')')
define(`CONCAT', `$1$2$3$4$5$6$7')
define(`DOL', ``$'$1')
define(`_OPTINS', `ifdef(`$1', `$2$1$3')')
define(`_TAG_DELIM_', `:')
# _mcf_with(flags, letters): flags and those letters that it lacks; _mcf_without: flags less letters.
define(`_mcf_with', `ifelse(`$2', , `$1', `_mcf_with(ifelse(eval(index(`$1', substr(`$2', 0, 1)) < 0), 1, ``$1'substr(`$2', 0, 1)', ``$1''), substr(`$2', 1))')')
define(`_mcf_without', `ifelse(`$2', , `$1', `_mcf_without(_mcf_cut(`$1', index(`$1', substr(`$2', 0, 1))), substr(`$2', 1))')')
define(`_mcf_cut', `ifelse(`$2', -1, ``$1'', `substr(`$1', 0, `$2')`'substr(`$1', incr(`$2'))')')
# MODIFY_MAILER_FLAGS puts _mcf_flags in its place: few files call it.
define(`_MODMF_', `$1')
define(`_mcf_flags', `ifdef(`_mcf_modified_$2', `_mcf_modified($@)', `$1')')
define(`_mcf_modified', `ifdef(`_mcf_all_flags_$2', `indir(`_mcf_all_flags_$2')', `_mcf_with(_mcf_without($1, _mcf_text(`_mcf_less_flags_$2')), _mcf_text(`_mcf_more_flags_$2'))')')
define(`_mcf_text', `ifdef(`$1', `indir(`$1')')')

# --- directives ----------------------------------------------------------------------------------
# The text of these is not passed on as an argument: it may hold a lone quote.
define(`_mcf_open', ``@mcf0@ @ '_mcf_id
')
define(`_mcf_close', `
`@mcf0@ .'
')
define(`VERSIONID', `_mcf_rec(`VERSIONID')_mcf_open`'$1`'_mcf_close()')

# _mcf_had tells what _ARG_ and the others hold: nothing, one argument (a), or more (x).  Most calls have
# none, and find them so.
define(`_mcf_set_args', `_mcf_define(`_ARG_', `$1')_mcf_define(`_ARGS_', `$@')_mcf_define(`_ARG1_', `$1')ifelse(`$#'_mcf_had, `1a', `', `$#'_mcf_had, `1', `_mcf_define(`_mcf_had', `a')', `_mcf_set_more($@)')')
define(`_mcf_set_more', `_mcf_define(`_ARG2_', `$2')_mcf_define(`_ARG3_', `$3')_mcf_define(`_ARG4_', `$4')_mcf_define(`_ARG5_', `$5')_mcf_define(`_ARG6_', `$6')_mcf_define(`_ARG7_', `$7')_mcf_define(`_ARG8_', `$8')_mcf_define(`_ARG9_', `$9')_mcf_define(`_mcf_had', ifelse(`$#', `1', `a', `x'))')
define(`_mcf_set_none', `ifelse(_mcf_had, `a', `_mcf_define(`_ARG_')_mcf_define(`_ARGS_')_mcf_define(`_ARG1_')', `_mcf_set_args()')_mcf_define(`_mcf_had')')
define(`_mcf_had', `x')_mcf_set_none
define(`_mcf_site', `_mcf_rec(`site', `$1', `$2', indir(`_mcf_site_$1_$2'))_mcf_include(indir(`_mcf_site_$1_$2'))')
# The library's folder was named by the file and is not there, or a name is unknown: the compiler says so.
define(`_mcf_unknown', `_mcf_rec(`unknown', `$1', `$2')')

define(`OSTYPE', `_mcf_rec(`OSTYPE', $@)_mcf_define(`__OSTYPE__', `$1')PUSHDIVERT(-1)_mcf_define(`_mcf_had', `x')_mcf_define(`_ARG_', `$2')ifdef(`_mcf_site_ostype_$1', `_mcf_site(`ostype', `$1')', `ifdef(`_mcf_ostype.$1', `indir(`_mcf_ostype.$1')', `_mcf_unknown(`ostype', `$1')')')POPDIVERT()')
define(`DOMAIN', `_mcf_rec(`DOMAIN', $@)PUSHDIVERT(-1)_mcf_define(`_mcf_had', `x')_mcf_define(`_ARG_', `$2')ifdef(`_mcf_site_domain_$1', `_mcf_site(`domain', `$1')', `ifdef(`_mcf_domain.$1', `indir(`_mcf_domain.$1')', `_mcf_unknown(`domain', `$1')')')POPDIVERT()')
define(`HACK', `_mcf_rec(`HACK', $@)PUSHDIVERT(-1)_mcf_set_args(shift($@))ifdef(`_mcf_site_hack_$1', `_mcf_site(`hack', `$1')', `ifdef(`_mcf_hack.$1', `indir(`_mcf_hack.$1')', `_mcf_unknown(`hack', `$1')')')POPDIVERT()')
define(`FEATURE', `_mcf_rec(`FEATURE', $@)ifelse(`$#'_mcf_had, `1', `', `$#', `1', `_mcf_set_none`'', `_mcf_set_args(shift($@))')_mcf_feature(divnum, `$1', _mcf_id)')
# _mcf_feature(diversion, name, id): diversion is where it is called.  Here and below it is decided which
# macro takes the arguments that follow: text that is not wanted would be read all the same.
define(`_mcf_feature', `divert(-1)ifdef(`_mcf_site_feature_$2', `_mcf_site', `ifdef(`_mcf_feature.$2', `_mcf_ours', `_mcf_unknown')')(`feature', `$2', `$3')divert($1)')
define(`_mcf_ours', `indir(`_mcf_feature.$2')')
define(`MAILER', `_mcf_rec(`MAILER', $@)_mcf_define(`_MAILER_DEFINED_', 1)_mcf_mailer(`$1', ifelse(`$2', , ``$1'', ``$2''), _mcf_id, shift($@))')
define(`_mcf_mailer', `ifdef(`_MAILER_$2_', `_mcf_rec(`again', `mailer', `$2')', `_mcf_define(`_MAILER_$2_')ifelse(`$#'_mcf_had, `4', `', `$#', `4', `_mcf_set_none`'', `_mcf_set_args(shift(shift(shift($@))))')_mcf_mailer_on(divnum, `$1', `$3')')')
define(`_mcf_mailer_on', `ifdef(`_mcf_site_mailer_$2', `divert(7)_mcf_site(`mailer', `$2')', `ifdef(`_mcf_mailer.$2', `divert(-1)indir(`_mcf_mailer.$2')_mcf_frames(`$2', `$3', 7ifdef(`_mcf_sections.$2', `, indir(`_mcf_sections.$2')'))', `_mcf_unknown(`mailer', `$2')')')divert($1)')
# _mcf_frames(mailer, id, section...)
define(`_mcf_frames', `ifelse(`$3', `', `', `_mcf_frame(`$3', `$2', `indir(`_mcf_snap_mailer.$1')')_mcf_frames(`$1', `$2', shift(shift(shift($@))))')')
define(`MAILER_DEFINITIONS', `divert(7)')

define(`LOCAL_CONFIG', `divert(6)')
define(`LOCAL_RULE_0', `divert(3)')
define(`LOCAL_RULE_1', `divert(9)
Ssender=1
')
define(`LOCAL_RULE_2', `divert(9)
Srecipient=2
')
define(`LOCAL_RULE_3', `divert(2)')
define(`LOCAL_RULESETS', `divert(9)
')
define(`LOCAL_NET_CONFIG', `_mcf_define(`_LOCAL_RULES_', 1)divert(1)')
define(`LOCAL_UUCP', `divert(4)')
define(`LOCAL_DNSBL', `divert(8)')
define(`_mcf_hooked', `define(`LOCAL_$1', `ifdef(`_MAILER_DEFINED_', `', `_mcf_rec(`before-mailer', `LOCAL_$1')')_mcf_define(`_LOCAL_$1_')divert(9)
SLocal_$2
')')
_mcf_hooked(`SRV_FEATURES', `srv_features') _mcf_hooked(`CLT_FEATURES', `clt_features')
_mcf_hooked(`TRY_TLS', `try_tls') _mcf_hooked(`TLS_RCPT', `tls_rcpt')
_mcf_hooked(`TLS_CLIENT', `tls_client') _mcf_hooked(`TLS_SERVER', `tls_server')

# Classes: CLASS(...) and CLASS_FILE(...) put a line into the local section.  As in the reference
# the rest of the line that they stand on is dropped.
define(`EXPOSED_USER', `_mcf_rec(`EXPOSED_USER')PUSHDIVERT(5)_mcf_open`'C{E}$1`'_mcf_close()POPDIVERT()dnl`'')
define(`EXPOSED_USER_FILE', `_mcf_rec(`EXPOSED_USER_FILE')PUSHDIVERT(5)_mcf_open`'F{E}$1`'_mcf_close()POPDIVERT()dnl`'')
define(`LOCAL_USER', `_mcf_rec(`LOCAL_USER')PUSHDIVERT(5)_mcf_open`'C{L}$1`'_mcf_close()POPDIVERT()dnl`'')
define(`LOCAL_USER_FILE', `_mcf_rec(`LOCAL_USER_FILE')PUSHDIVERT(5)_mcf_open`'F{L}$1`'_mcf_close()POPDIVERT()dnl`'')
define(`LOCAL_DOMAIN', `_mcf_rec(`LOCAL_DOMAIN')PUSHDIVERT(5)_mcf_open`'C{w}$1`'_mcf_close()POPDIVERT()dnl`'')
define(`MASQUERADE_DOMAIN', `_mcf_rec(`MASQUERADE_DOMAIN')PUSHDIVERT(5)_mcf_open`'C{M}$1`'_mcf_close()POPDIVERT()dnl`'')
define(`MASQUERADE_DOMAIN_FILE', `_mcf_rec(`MASQUERADE_DOMAIN_FILE')PUSHDIVERT(5)_mcf_open`'F{M}$1`'_mcf_close()POPDIVERT()dnl`'')
define(`MASQUERADE_EXCEPTION', `_mcf_rec(`MASQUERADE_EXCEPTION')PUSHDIVERT(5)_mcf_open`'C{N}$1`'_mcf_close()POPDIVERT()dnl`'')
define(`MASQUERADE_EXCEPTION_FILE', `_mcf_rec(`MASQUERADE_EXCEPTION_FILE')PUSHDIVERT(5)_mcf_open`'F{N}$1`'_mcf_close()POPDIVERT()dnl`'')
define(`CANONIFY_DOMAIN', `_mcf_rec(`CANONIFY_DOMAIN')PUSHDIVERT(5)_mcf_open`'C{Canonify}$1`'_mcf_close()POPDIVERT()dnl`'')
define(`CANONIFY_DOMAIN_FILE', `_mcf_rec(`CANONIFY_DOMAIN_FILE')PUSHDIVERT(5)_mcf_open`'F{Canonify}$1`'_mcf_close()POPDIVERT()dnl`'')
define(`GENERICS_DOMAIN', `_mcf_rec(`GENERICS_DOMAIN')PUSHDIVERT(5)_mcf_open`'C{G}$1`'_mcf_close()POPDIVERT()dnl`'')
define(`GENERICS_DOMAIN_FILE', `_mcf_rec(`GENERICS_DOMAIN_FILE')PUSHDIVERT(5)_mcf_open`'F{G}$1`'_mcf_close()POPDIVERT()dnl`'')
define(`VIRTUSER_DOMAIN', `_mcf_define(`_VIRTHOSTS_')_mcf_rec(`VIRTUSER_DOMAIN')PUSHDIVERT(5)_mcf_open`'C{VirtHost}$1`'_mcf_close()POPDIVERT()dnl`'')
define(`VIRTUSER_DOMAIN_FILE', `_mcf_define(`_VIRTHOSTS_')_mcf_rec(`VIRTUSER_DOMAIN_FILE')PUSHDIVERT(5)_mcf_open`'F{VirtHost}$1`'_mcf_close()POPDIVERT()dnl`'')
define(`RELAY_DOMAIN', `_mcf_rec(`RELAY_DOMAIN')PUSHDIVERT(5)_mcf_open`'C{R}$1`'_mcf_close()POPDIVERT()dnl`'')
define(`RELAY_DOMAIN_FILE', `_mcf_rec(`RELAY_DOMAIN_FILE')PUSHDIVERT(5)_mcf_open`'F{R}$1`'_mcf_close()POPDIVERT()dnl`'')
define(`LDAPROUTE_DOMAIN', `_mcf_rec(`LDAPROUTE_DOMAIN')PUSHDIVERT(5)_mcf_open`'C{LDAPRoute}$1`'_mcf_close()POPDIVERT()dnl`'')
define(`LDAPROUTE_DOMAIN_FILE', `_mcf_rec(`LDAPROUTE_DOMAIN_FILE')PUSHDIVERT(5)_mcf_open`'F{LDAPRoute}$1`'_mcf_close()POPDIVERT()dnl`'')
define(`LDAPROUTE_EQUIVALENT', `_mcf_rec(`LDAPROUTE_EQUIVALENT')PUSHDIVERT(5)_mcf_open`'C{LDAPRouteEquiv}$1`'_mcf_close()POPDIVERT()dnl`'')
define(`LDAPROUTE_EQUIVALENT_FILE', `_mcf_rec(`LDAPROUTE_EQUIVALENT_FILE')PUSHDIVERT(5)_mcf_open`'F{LDAPRouteEquiv}$1`'_mcf_close()POPDIVERT()dnl`'')
define(`TRUST_AUTH_MECH', `_DEFIFNOT(`_USE_AUTH_', 1)_mcf_rec(`TRUST_AUTH_MECH')PUSHDIVERT(5)_mcf_open`'C{TrustAuthMech}$1`'_mcf_close()POPDIVERT()dnl`'')
define(`MASQUERADE_AS', `_mcf_rec(`MASQUERADE_AS', $@)_mcf_define(`MASQUERADE_NAME', $1)')

# Lists that are expanded when the options are written, so that a later define still counts.
define(`_mcf_append', `_mcf_define(`$1', ifdef(`$1', `defn(`$1')')`$2')')
define(`_mcf_entry', ``@mcf0@ @ $1'
$2
`@mcf0@ .'
')
define(`DAEMON_OPTIONS', `_mcf_rec(`DAEMON_OPTIONS', $@)_mcf_append(`_DPO_', `_mcf_entry('_mcf_id`, `$1')')')
define(`CLIENT_OPTIONS', `_mcf_rec(`CLIENT_OPTIONS', $@)_mcf_append(`_CPO_', `_mcf_entry('_mcf_id`, `$1')')')
define(`QUEUE_GROUP', `_mcf_rec(`QUEUE_GROUP', $@)_mcf_append(`_QUEUE_GROUP_', `_mcf_entry('_mcf_id`, `$1, $2')')')
define(`MAIL_FILTER', `_mcf_rec(`MAIL_FILTER', $@)_mcf_filter($@)')
define(`_mcf_filter', `_mcf_append(`_MAIL_FILTERS_', `_mcf_entry('_mcf_id`, `$1, $2')')_mcf_append(`_MAIL_FILTERS_DEF', `X')')
define(`INPUT_MAIL_FILTER', `_mcf_rec(`INPUT_MAIL_FILTER', $@)_mcf_filter($@)ifelse(defn(`confINPUT_MAIL_FILTERS'), `', `_mcf_define(`confINPUT_MAIL_FILTERS', `$1')', `_mcf_define(`confINPUT_MAIL_FILTERS', defn(`confINPUT_MAIL_FILTERS')`, $1')')')
define(`_DPO_', `') define(`_CPO_', `') define(`_QUEUE_GROUP_', `') define(`_MAIL_FILTERS_', `')
define(`_MAIL_FILTERS_DEF', `')

define(`MODIFY_MAILER_FLAGS', `_mcf_rec(`MODIFY_MAILER_FLAGS', $@)_mcf_modify(`$1', `$2', substr(`$2', 0, 1), substr(`$2', 1))')
define(`_mcf_modify', `_mcf_define(`_MODMF_', defn(`_mcf_flags'))_mcf_define(`_mcf_modified_$1')ifelse(`$3', `+', `_mcf_define(`_mcf_more_flags_$1', _mcf_text(`_mcf_more_flags_$1')`$4')', `$3', `-', `_mcf_define(`_mcf_less_flags_$1', _mcf_text(`_mcf_less_flags_$1')`$4')', `_mcf_define(`_mcf_all_flags_$1', `$2')_mcf_undefine(`_mcf_more_flags_$1', `_mcf_less_flags_$1')')')

# A hack is called as a macro, without arguments: a $ of its rules is quoted.
# Hosts of a department's domain that are ours are called by our name.
define(`_mcf_hack.cssubdomain', `divert(2)
R`$'* < @ `$'=w .Berkeley.EDU > `$'*	`$': `$'1 < @ `$'j > `$'3
R`$'* < @ `$'=w .CS.Berkeley.EDU > `$'*	`$': `$'1 < @ `$'j > `$'3
divert(-1)')

# A host without a name server: files say which host is where.
define(`_mcf_hack.nodns', `_mcf_undefine(`confBIND_OPTS')_mcf_define(`confSERVICE_SWITCH_FILE', `/etc/mail/service.switch-nodns')_mcf_define(`confDONT_PROBE_INTERFACES', `True')FEATURE(`nocanonify')')
# A host of several addresses greets, and signs Received:, by the name of the one that was called.
define(`_mcf_hack.virthost_by_ip', `_mcf_define(`confSMTP_LOGIN_MSG', ``$?{if_name}${if_name}$|$j$. Sendmail $v/$Z; $b; (No UCE/UBE) $?{client_addr}logging access from: ${client_name}(${client_resolve})-$_$.'')_mcf_define(`_REC_AUTH_', defn(`_REC_FULL_AUTH_'))_mcf_define(`_REC_BY_', ``$.by $?{if_name}${if_name}$|$j$. ($v/$Z)$?r with $r$. id $i$?{tls_version}'')')

# UUCP
define(`UUCPSMTP', `R DOL(*) < @ $1 .UUCP > DOL(*)	DOL(1) < @ $2 > DOL(2)')
define(`_mcf_site_line', `ifelse(`$2'_mcf_site_class, SU, `CY$1', `C'_mcf_site_class`$1')')
define(`SITECONFIG', `_mcf_rec(`SITECONFIG', $@)D$3$2
_mcf_define(`_CLASS_$3_')ifelse(`$3', U, `C{w}$2 $2.UUCP
')_mcf_define(`_mcf_site_class', `$3')_mcf_define(`SITE', defn(`_mcf_site_line'))ifdef(`_mcf_site_siteconfig_$1', `_mcf_site(`siteconfig', `$1')')')

# Parts of the Received: header that confRECEIVED_HEADER may be put together from.
define(`_REC_HDR_', `$?sfrom $s $.$?_($?s$|from $.$_)')
define(`_REC_AUTH_', `$.$?{auth_type}(authenticated')
define(`_REC_FULL_AUTH_', `$.$?{auth_type}(user=${auth_authen} $?{auth_author}author=${auth_author} $.mech=${auth_type}')
define(`_REC_BY_', `$.by $j ($v/$Z)$?r with $r$. id $i$?{tls_version}')
define(`_REC_TLS_', `(version=${tls_version} cipher=${cipher} bits=${cipher_bits} verify=${verify})$.$?u')
define(`_REC_END_', `for $u; $|;
	$.$b')

# --- the end of the input --------------------------------------------------------------------------
# Names of old releases, turned into what replaced them.
define(`_mcf_old', `ifdef(`$1', `_mcf_rec(`old', `$1')')')
define(`_mcf_old_names', `_mcf_old(`confAUTO_REBUILD')_mcf_old(`confDEF_GROUP_ID')_mcf_old(`confREAD_TIMEOUT')_mcf_old(`confUNSAFE_GROUP_WRITES')ifelse(eval(index(_mcf_text(`confMIN_FREE_BLOCKS'), `/') >= 0), 1, `_mcf_old(`confMIN_FREE_BLOCKS')')ifdef(`confMESSAGE_TIMEOUT', `_mcf_old(`confMESSAGE_TIMEOUT')_mcf_timeout(index(confMESSAGE_TIMEOUT, `/'))')ifelse(defn(`confDAEMON_OPTIONS'), `', `', `_mcf_rec(`old', `confDAEMON_OPTIONS')DAEMON_OPTIONS(`confDAEMON_OPTIONS')')ifelse(defn(`confCLIENT_OPTIONS'), `', `', `_mcf_rec(`old', `confCLIENT_OPTIONS')CLIENT_OPTIONS(`confCLIENT_OPTIONS')')')
define(`_mcf_timeout', `ifelse(`$1', -1, `_mcf_define(`confTO_QUEUERETURN', confMESSAGE_TIMEOUT)', `_mcf_define(`confTO_QUEUERETURN', substr(confMESSAGE_TIMEOUT, 0, `$1'))_mcf_define(`confTO_QUEUEWARN', substr(confMESSAGE_TIMEOUT, incr(`$1')))')')

# What the epilogue calls.
define(`_mcf_finish', `changequote`'changecom`'divert(0)ifdef(`_MAILER_local_', `', `MAILER(`local')')_mcf_old_names`'_mcf_late_presets`'divert(0)_mcf_sections`'_mcf_list(10, `_DPO_')_mcf_list(11, `_CPO_')_mcf_list(12, `_QUEUE_GROUP_')_mcf_list(13, `_MAIL_FILTERS_')_mcf_values')
define(`_mcf_list', ``@mcf0@ # $1'
indir(`$2')
')
define(`_mcf_sections', `_mcf_section(0)_mcf_section(1)_mcf_section(2)_mcf_section(3)_mcf_section(4)_mcf_section(5)_mcf_section(6)_mcf_section(7)_mcf_section(8)_mcf_section(9)')
define(`_mcf_section', ``@mcf0@ # $1'
undivert($1)
')

# From here on a # means nothing to m4: as in the reference, macros are live in # lines.
changecom
