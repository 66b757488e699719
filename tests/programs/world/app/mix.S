/* A function in assembler, with the preprocessor run on it. */
#define NAME mix
    .text
    .globl NAME
    .type NAME, %function
NAME:
#if defined(__x86_64__)
    movl %edi, %eax
    imull $31, %eax, %eax
    xorl %esi, %eax
    ret
#elif defined(__aarch64__)
    mov w2, #31
    mul w0, w0, w2
    eor w0, w0, w1
    ret
#endif
    .size NAME, . - NAME
    .section .note.GNU-stack, "", %progbits
