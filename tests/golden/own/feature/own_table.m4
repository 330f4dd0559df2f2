divert(-1)
#  A map with a default, and a rule that asks it.
divert(0)
VERSIONID(`own_table')
divert(-1)
define(`_OWN_TABLE_', `')
LOCAL_CONFIG
Kowntable ifelse(defn(`_ARG_'), `', DATABASE_MAP_TYPE -o MAIL_SETTINGS_DIR`localmap', defn(`_ARG_'))
LOCAL_RULE_0
R$+ < @ owntable.example. >	$#local $: $( owntable $1 $)
divert(-1)
