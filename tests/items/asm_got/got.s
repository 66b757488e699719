        .macro  fn name
        .globl  \name
        .type   \name,@function
\name:
        .endm

        .text
        fn got_base32                           # R_X86_64_GOTPC32
        leaq    _GLOBAL_OFFSET_TABLE_(%rip), %rax
        ret

        fn got_base64                           # R_X86_64_GOTPC64
1:      leaq    1b(%rip), %rcx
        movabsq $_GLOBAL_OFFSET_TABLE_ - 1b, %rax
        addq    %rcx, %rax
        ret

        fn by_gotpcrel                          # R_X86_64_REX_GOTPCRELX
        movq    value@GOTPCREL(%rip), %rax
        movl    (%rax), %eax
        ret

        fn by_gotpcrel_data                     # R_X86_64_GOTPCREL in data
        leaq    got_delta(%rip), %rax
        movslq  (%rax), %rcx
        movq    (%rax,%rcx), %rax
        movl    (%rax), %eax
        ret

        fn by_gotoff64                          # R_X86_64_GOTOFF64
        leaq    _GLOBAL_OFFSET_TABLE_(%rip), %rcx
        movabsq $near@GOTOFF, %rax
        movl    (%rax,%rcx), %eax
        ret

        fn by_got64                             # R_X86_64_GOT64
        leaq    _GLOBAL_OFFSET_TABLE_(%rip), %rcx
        movabsq $value@GOT, %rax
        movq    (%rax,%rcx), %rax
        movl    (%rax), %eax
        ret

        fn by_pltoff64                          # R_X86_64_PLTOFF64
        subq    $8, %rsp
        leaq    _GLOBAL_OFFSET_TABLE_(%rip), %rcx
        movabsq $add_one@PLTOFF, %rax
        addq    %rcx, %rax
        call    *%rax
        addq    $8, %rsp
        ret

        fn call_gotpcrelx                       # R_X86_64_GOTPCRELX, ff /2
        subq    $8, %rsp
        call    *add_one@GOTPCREL(%rip)
        addq    $8, %rsp
        ret

        fn tail_gotpcrelx                       # R_X86_64_GOTPCRELX, ff /4
        jmp     *add_one@GOTPCREL(%rip)

        fn cmp_gotpcrelx                        # a compare with the GOT entry itself
        xorl    %eax, %eax
        cmpq    value@GOTPCREL(%rip), %rdi
        sete    %al
        ret

        fn test_gotpcrelx                       # a weak name that nobody defines
        xorl    %eax, %eax
        .weak   nobody_defines_this
        cmpq    $0, nobody_defines_this@GOTPCREL(%rip)
        sete    %al
        ret

        fn push_gotpcrel                        # an instruction without a relaxed form
        pushq   add_one@GOTPCREL(%rip)
        popq    %rax
        jmp     *%rax

        fn by_gotpcrel64                        # R_X86_64_GOTPCREL64
        leaq    got_delta64(%rip), %rax
        movq    (%rax), %rcx
        movq    (%rax,%rcx), %rax
        movl    (%rax), %eax
        ret

        fn call_libc
        jmp     *atoi@GOTPCREL(%rip)

        .data
        .balign 8
got_delta64:
        .reloc  ., R_X86_64_GOTPCREL64, value
        .quad   0
got_delta:
        .long   value@GOTPCREL
near:   .long   99
        .section .note.GNU-stack,"",@progbits
