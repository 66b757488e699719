# Absolute symbols of another file, used by relocations of every width: 8, 16, 32, 64.
        .globl abs_values
        .section .rodata
        .balign 8
abs_values:
        .quad   wide_abs
        .long   wide_abs + 1
        .long   0
        .byte   small_abs
        .byte   small_abs + 1
        .word   small_abs + 0x100
        .long   0
        .quad   wide_abs - 0x12345679
        .section .note.GNU-stack,"",@progbits
