divert(-1)
This text is dropped: the file sets values and says nothing.
define(`confMAX_RCPTS_PER_MESSAGE', `77')
define(`confMAX_DAEMON_CHILDREN', `11')
FEATURE(`access_db')
divert(0)dnl
