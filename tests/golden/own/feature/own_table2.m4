divert(-1)
ifdef(`_OWN_TABLE_', `', `errprint(`*** ERROR: own_table2 wants own_table
')')
divert(0)
VERSIONID(`own_table2')
LOCAL_CONFIG
Kowntable2 _ARG_
DQ`'_ARG1_ and _ARG2_`'ifdef(`_ARG3_', ` and '_ARG3_)
divert(-1)
