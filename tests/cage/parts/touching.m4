dnl a file that is included
syscmd(`touch WHERE')dnl
