SITE(zdom)
