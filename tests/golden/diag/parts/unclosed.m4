dnl A site's own lines.
define(`confLOG_LEVEL', `9)dnl
FEATURE(`access_db')dnl
