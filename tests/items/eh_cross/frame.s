        .text
        .globl  asm_frame
        .type   asm_frame,@function
asm_frame:
        .cfi_startproc
        pushq   %rbp
        .cfi_def_cfa_offset 16
        .cfi_offset %rbp, -16
        movq    %rsp, %rbp
        .cfi_def_cfa_register %rbp
        movq    %rdi, %rax
        movl    %esi, %edi
        call    *%rax
        popq    %rbp
        .cfi_def_cfa %rsp, 8
        ret
        .cfi_endproc
        .size   asm_frame, . - asm_frame
        .section .note.GNU-stack,"",@progbits
