PUSHDIVERT(-1)
_DEFIFNOT(`OWN_PIPE_MAILER_FLAGS', `mu')
ifdef(`OWN_PIPE_MAILER_PATH',, `define(`OWN_PIPE_MAILER_PATH', /usr/bin/ownpipe)')
ifdef(`OWN_PIPE_MAILER_ARGS',, `define(`OWN_PIPE_MAILER_ARGS', `ownpipe $h $u')')
POPDIVERT
#  a mailer from a file of one's own
VERSIONID(`own_pipe')
Mownpipe,	P=OWN_PIPE_MAILER_PATH, F=_MODMF_(CONCAT(`DFM', OWN_PIPE_MAILER_FLAGS), `OWN_PIPE'), S=EnvFromSMTP/HdrFromSMTP, R=EnvToSMTP,
		_OPTINS(`OWN_PIPE_MAILER_MAX', `M=', `, ')T=DNS/RFC822/X-Unix,
		A=OWN_PIPE_MAILER_ARGS
