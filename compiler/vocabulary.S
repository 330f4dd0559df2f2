/* The bytes of compiler/vocabulary.h. */
    .section .rodata
    .global vocabulary_frozen
    .global vocabulary_frozen_len
    .global vocabulary_source
    .global vocabulary_source_len
    .global mail_makefile
    .global mail_makefile_len
vocabulary_frozen:
    .incbin FROZEN
frozen_end:
vocabulary_source:
    .incbin SOURCE
source_end:
mail_makefile:
    .incbin "share/Makefile.mail"
makefile_end:
    .balign 8
vocabulary_frozen_len:
    .quad frozen_end - vocabulary_frozen
vocabulary_source_len:
    .quad source_end - vocabulary_source
mail_makefile_len:
    .quad makefile_end - mail_makefile
    .section .note.GNU-stack, "", %progbits
