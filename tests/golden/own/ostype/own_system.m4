divert(-1)
#  A system that nobody has.
divert(0)
VERSIONID(`own_system')
divert(-1)
_DEFIFNOT(`LOCAL_MAILER_FLAGS', `Smn9')
ifdef(`LOCAL_MAILER_PATH',, `define(`LOCAL_MAILER_PATH', /opt/mail/deliver)')
ifdef(`LOCAL_MAILER_ARGS',, `define(`LOCAL_MAILER_ARGS', `deliver $u')')
define(`confEBINDIR', `/opt/mail/bin')
