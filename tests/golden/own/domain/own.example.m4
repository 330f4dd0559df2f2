divert(-1)
divert(0)
VERSIONID(`own.example')
define(`confFORWARD_PATH', `$z/.forward')dnl
define(`SMART_HOST', `smart.example.org')dnl
FEATURE(`redirect')dnl
FEATURE(`use_cw_file')dnl
MASQUERADE_AS(`own.example')dnl
LOCAL_CONFIG
DOfrom the domain file
