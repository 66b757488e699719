// Every type in the table whose value can be what it wants; by number where LLVM's
// assembler has no notation.
    .text
start:
    .p2align 4
    movz x1, #:abs_g0_nc:far
    movk x1, #:abs_g1_nc:far
    movk x1, #:abs_g2_nc:far
    movk x1, #:abs_g3:far
    movz x2, #:abs_g2:far
    movz x3, #:abs_g2_s:far
    movk x4, #:prel_g0_nc:far
    movk x4, #:prel_g1_nc:far
    movk x4, #:prel_g2_nc:far
    movz x5, #:prel_g0:far
    movz x5, #:prel_g1:far
    movz x5, #:prel_g2:far
    movz x5, #:prel_g3:far
    ldr x1, far
    adr x1, far
    adrp x1, far
    adrp x2, :pg_hi21_nc:far
    add x1, x1, :lo12:far
    adrp x3, far
    ldrb w4, [x3, :lo12:far]
    ldrh w4, [x3, :lo12:far]
    ldr w4, [x3, :lo12:far]
    ldr x4, [x3, :lo12:far]
    ldr q4, [x3, :lo12:far]
    tbz x1, #3, far
    cbnz x1, far
    b.ne far
    b far
    bl far
    ldr x1, :got:far
    adrp x1, :got:far
    ldr x1, [x1, :got_lo12:far]
    mov x1, #0
    ldr x2, [x1, :gotpage_lo15:far]
    .reloc ., R_AARCH64_TLSGD_ADR_PREL21, thread
    adr x0, #0
    .reloc ., R_AARCH64_TLSGD_ADR_PAGE21, thread
    adrp x0, #0
    .reloc ., R_AARCH64_TLSGD_ADD_LO12_NC, thread
    add x0, x0, #0
    .reloc ., R_AARCH64_TLSLD_ADR_PREL21, thread
    adr x0, #0
    .reloc ., R_AARCH64_TLSLD_ADR_PAGE21, thread
    adrp x0, #0
    .reloc ., R_AARCH64_TLSLD_ADD_LO12_NC, thread
    add x0, x0, #0
    movz x1, #:dtprel_g0:thread
    movz x1, #:dtprel_g1:thread
    movz x1, #:dtprel_g2:thread
    movk x1, #:dtprel_g1_nc:thread
    movk x1, #:dtprel_g0_nc:thread
    add x2, x2, #:dtprel_hi12:thread, lsl #12
    mov x3, #0
    add x2, x3, :dtprel_lo12:thread
    add x2, x3, :dtprel_lo12_nc:thread
    ldrb w4, [x3, :dtprel_lo12:thread]
    ldrb w4, [x3, :dtprel_lo12_nc:thread]
    ldrh w4, [x3, :dtprel_lo12:thread]
    ldrh w4, [x3, :dtprel_lo12_nc:thread]
    ldr w4, [x3, :dtprel_lo12:thread]
    ldr w4, [x3, :dtprel_lo12_nc:thread]
    ldr x4, [x3, :dtprel_lo12:thread]
    ldr x4, [x3, :dtprel_lo12_nc:thread]
    ldr q4, [x3, :dtprel_lo12:thread]
    ldr q4, [x3, :dtprel_lo12_nc:thread]
    movz x1, #:tprel_g0:thread
    movz x1, #:tprel_g1:thread
    movz x1, #:tprel_g2:thread
    movk x1, #:tprel_g1_nc:thread
    movk x1, #:tprel_g0_nc:thread
    add x2, x2, #:tprel_hi12:thread, lsl #12
    mov x3, #0
    add x2, x3, :tprel_lo12:thread
    add x2, x3, :tprel_lo12_nc:thread
    ldrb w4, [x3, :tprel_lo12:thread]
    ldrb w4, [x3, :tprel_lo12_nc:thread]
    ldrh w4, [x3, :tprel_lo12:thread]
    ldrh w4, [x3, :tprel_lo12_nc:thread]
    ldr w4, [x3, :tprel_lo12:thread]
    ldr w4, [x3, :tprel_lo12_nc:thread]
    ldr x4, [x3, :tprel_lo12:thread]
    ldr x4, [x3, :tprel_lo12_nc:thread]
    ldr q4, [x3, :tprel_lo12:thread]
    ldr q4, [x3, :tprel_lo12_nc:thread]
    adrp x1, :gottprel:thread
    ldr x1, [x1, :gottprel_lo12:thread]
    ldr x1, :gottprel:thread
    ldr x1, :tlsdesc:thread
    .reloc ., R_AARCH64_TLSDESC_ADR_PREL21, thread
    adr x1, #0
    adrp x1, :tlsdesc:thread
    ldr x2, [x1, :tlsdesc_lo12:thread]
    add x0, x1, :tlsdesc_lo12:thread
    .tlsdesccall thread
    blr x2
    .reloc ., R_AARCH64_MOVW_GOTOFF_G0, far
    movz x1, #0
    .reloc ., R_AARCH64_MOVW_GOTOFF_G1, far
    movz x1, #0, lsl #16
    .reloc ., R_AARCH64_MOVW_GOTOFF_G0_NC, far
    movk x1, #0
    .reloc ., R_AARCH64_MOVW_GOTOFF_G3, far
    movz x1, #0, lsl #48
    .reloc ., R_AARCH64_MOVW_GOTOFF_G2, far
    movz x1, #0, lsl #32
    .reloc ., R_AARCH64_MOVW_GOTOFF_G1_NC, far
    movk x1, #0, lsl #16
    .reloc ., R_AARCH64_MOVW_GOTOFF_G2_NC, far
    movk x1, #0, lsl #32
    mov x1, #0
    .reloc ., R_AARCH64_LD64_GOTOFF_LO15, far
    ldr x2, [x1]
    .reloc ., R_AARCH64_TLSLD_LD_PREL19, thread
    ldr x2, #0
    .reloc ., R_AARCH64_TLSDESC_LD_PREL19, thread
    ldr x2, #0

    .data
    .xword far
    .word start - .
    .hword far - .
    .xword far - .
    .word far - .
    .word far@plt - .
    .word far@gotpcrel
    .word 0
    .reloc ., R_AARCH64_GOTREL64, far
    .xword 0
    .reloc ., R_AARCH64_GOTREL32, far
    .word 0

    .section .tdata,"awT",@progbits
    .zero 32
thread:
    .xword 1
