divert(-1)
syscmd(`touch _ARG_')
builtin(`syscmd', `touch '_ARG_)
divert(0)
