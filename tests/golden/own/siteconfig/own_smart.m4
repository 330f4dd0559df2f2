SITE(wlink)
