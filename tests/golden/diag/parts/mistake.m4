dnl one line
  FEATURE(`acces_db')dnl
