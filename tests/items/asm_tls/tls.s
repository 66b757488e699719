        .macro  fn name
        .globl  \name
        .type   \name,@function
\name:
        .endm

        .text
        fn general_plt                          # R_X86_64_TLSGD, PLT32
        subq    $8, %rsp
        .byte   0x66
        leaq    value@tlsgd(%rip), %rdi
        .value  0x6666
        rex64
        call    __tls_get_addr@PLT
        movl    (%rax), %eax
        addq    $8, %rsp
        ret

        fn general_got                          # R_X86_64_TLSGD, GOTPCRELX
        subq    $8, %rsp
        .byte   0x66
        leaq    value@tlsgd(%rip), %rdi
        .byte   0x66
        rex64
        call    *__tls_get_addr@GOTPCREL(%rip)
        movl    (%rax), %eax
        addq    $8, %rsp
        ret

        fn local_wide                           # R_X86_64_TLSLD, DTPOFF32
        subq    $8, %rsp
        leaq    near@tlsld(%rip), %rdi
        call    *__tls_get_addr@GOTPCREL(%rip)
        movl    near@dtpoff(%rax), %ecx
        addl    near@dtpoff+4(%rax), %ecx
        incl    near@dtpoff(%rax)
        movl    %ecx, %eax
        addq    $8, %rsp
        ret

        fn initial_move                         # R_X86_64_GOTTPOFF
        movq    value@gottpoff(%rip), %rax
        movl    %fs:(%rax), %eax
        ret

        fn initial_add
        movq    %fs:0, %rdx
        addq    value@gottpoff(%rip), %rdx
        movl    (%rdx), %eax
        ret

        fn descriptor                           # R_X86_64_GOTPC32_TLSDESC, TLSDESC_CALL
        subq    $8, %rsp
        leaq    value@tlsdesc(%rip), %rax
        call    *value@tlscall(%rax)
        movl    %fs:(%rax), %eax
        addq    $8, %rsp
        ret

        .section .tdata,"awT",@progbits
        .balign 4
near:   .long   30, 4
        .section .note.GNU-stack,"",@progbits
