        .globl small_abs, wide_abs
        .set    small_abs, 0x5a
        .set    wide_abs, 0x12345678

        .section .data.rel.ro,"aw",@progbits
        .globl rel32, rel64, abs64
        .balign 8
rel32:  .long   value - .
        .long   value - . + 4
rel64:  .quad   value - .
abs64:  .quad   value
        .quad   value + 24
        .quad   add_one

        .text
        .globl asm_value, asm_value_far, asm_call, asm_tail, asm_short, asm_indirect
        .type asm_value,@function
asm_value:
        movl    value_local(%rip), %eax
        ret
        .type asm_value_far,@function
asm_value_far:
        movabsq $value_local - ., %rax
        leaq    asm_value_far(%rip), %rcx
        addq    $2, %rax
        movl    (%rax,%rcx), %eax
        ret
        .type asm_call,@function
asm_call:
        subq    $8, %rsp
        call    add_one@PLT
        call    local_step
        addq    $8, %rsp
        movl    %eax, %edi
        ret
        .type asm_tail,@function
asm_tail:
        jmp     add_one@PLT
        .type asm_short,@function
asm_short:
        xorl    %eax, %eax
        jmp     local_end
        .type asm_indirect,@function
asm_indirect:
        leaq    add_one(%rip), %rax
        jmp     *%rax

        .section .text.cold,"ax",@progbits
local_step:
        leal    1(%rax), %edi
        jmp     add_one
local_end:
        incl    %eax
        ret

        .section .data
        .balign 4
value_local: .long 777
        .section .note.GNU-stack,"",@progbits
