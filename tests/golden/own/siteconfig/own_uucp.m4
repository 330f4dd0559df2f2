SITE(uone utwo)
SITE(usmart, S)
