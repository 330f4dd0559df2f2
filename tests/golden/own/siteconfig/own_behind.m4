SITE(vlink)
SITE(vtwo)
