ifdef(`WHICH',
	`LOCAL_DOMAIN(`second.parts.example')',
	`LOCAL_DOMAIN(`first.parts.example')')dnl
