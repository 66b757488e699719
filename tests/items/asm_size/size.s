        .section .rodata
        .balign 8
        .globl size32, size64
size64: .quad   buffer@SIZE
size32: .long   buffer@SIZE + 6
        .section .note.GNU-stack,"",@progbits
