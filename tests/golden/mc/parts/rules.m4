LOCAL_RULESETS
SLocal_check_rcpt
R$* parts $*	$#error $@ 5.1.1 $: "550 From a file of parts"
