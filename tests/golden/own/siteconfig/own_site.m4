SITE(neighbour farther)
SITE(one)
