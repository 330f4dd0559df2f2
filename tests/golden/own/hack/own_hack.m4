divert(-1)
divert(0)
VERSIONID(`own_hack')
divert(-1)
PUSHDIVERT(2)
R$* < @ _ARG_ > $*	$1 < @ example.org > $2
POPDIVERT
LOCAL_DOMAIN(`hacked.example')
