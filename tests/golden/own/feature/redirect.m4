divert(-1)
divert(0)
VERSIONID(`redirect of our own')
divert(-1)
LOCAL_RULE_0
R$* < @ $+ .REDIRECT. >	$#error $@ 5.1.6 $: "551 Moved to " $1 "@" $2
divert(-1)
