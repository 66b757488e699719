//! Each field against words of the LLVM assembler, and at the edges of its range.

use super::super::{Unwritable, write};
use super::*;

/// The place of every field: near the end of a page, so that page arithmetic shows.
const P: u64 = 0x7_0000_4000_1ff4;

/// Type, the word before, the value, the word after; the words are what
/// `llvm-mc -triple=aarch64 -show-encoding` makes of the same instruction with 0 and with
/// the immediate in the comment.
#[rustfmt::skip]
const GOLDEN: &[(u32, u32, u64, u32)] = &[
    (263, 0xd280_0003, 0xabcd, 0xd295_79a3), // movz x3, #0xabcd
    (266, 0xf2a0_0003, 0x1122_3344_5566_7788, 0xf2aa_acc3), // movk x3, #0x5566, lsl #16
    (267, 0xd2c0_0009, 0xfedc_3344_5566, 0xd2df_db89), // movz x9, #0xfedc, lsl #32
    (269, 0xf2e0_0003, 0x8122_3344_5566_7788, 0xf2f0_2443), // movk x3, #0x8122, lsl #48
    (270, 0xd280_0003, 0x1234, 0xd282_4683), // movz x3, #0x1234
    (270, 0xd280_0003, u64::MAX - 0x1234, 0x9282_4683), // movn x3, #0x1234
    (271, 0x92a0_0003, 0x1234_0000, 0xd2a2_4683), // movz x3, #0x1234, lsl #16
    (289, 0x92a0_0003, P - 0x1234_0001, 0x92a2_4683), // movn x3, #0x1234, lsl #16
    (288, 0xf280_0003, P - 0x2, 0xf29f_ffc3), // movk x3, #0xfffe
    (293, 0xd2e0_0003, P - 0x1, 0x92e0_0003), // movn x3, #0, lsl #48
    (273, 0x5800_0001, P + 0xf_fffc, 0x587f_ffe1), // ldr x1, #0xffffc
    (273, 0x9c00_0001, P - 0x10_0000, 0x9c80_0001), // ldr q1, #-0x100000
    (274, 0x1000_0001, P + 0xf_ffff, 0x707f_ffe1), // adr x1, #0xfffff
    (274, 0x1000_001e, P - 0xf_fffd, 0x7080_001e), // adr x30, #-0xffffd
    (275, 0x9000_0001, P + 0xc, 0xb000_0001), // adrp x1, #0x1000
    (275, 0x9000_0001, P + 0xb, 0x9000_0001), // adrp x1, #0
    (275, 0x9000_001d, 0x7_0000_2dcb_c97c, 0xf0f6_e5dd), // adrp x29, #-305418240
    (277, 0x9100_0041, 0x4000_2fff, 0x913f_fc41), // add x1, x2, #0xfff
    (278, 0x3940_0041, 0x4000_2fff, 0x397f_fc41), // ldrb w1, [x2, #0xfff]
    (284, 0x7900_0041, 0x4000_2ffe, 0x791f_fc41), // strh w1, [x2, #0xffe]
    (285, 0xb980_0041, 0x4000_2ffc, 0xb98f_fc41), // ldrsw x1, [x2, #0xffc]
    (286, 0xfd40_0041, 0x4000_2ff8, 0xfd47_fc41), // ldr d1, [x2, #0xff8]
    (299, 0x3d80_03ff, 0x4000_2ff0, 0x3d83_ffff), // str q31, [sp, #0xff0]
    (279, 0xb6f8_0001, P + 0x7ffc, 0xb6fb_ffe1), // tbz x1, #63, #0x7ffc
    (279, 0x3728_0001, P - 0x8000, 0x372c_0001), // tbnz w1, #5, #-0x8000
    (280, 0x5400_0001, P + 0xf_fffc, 0x547f_ffe1), // b.ne #0xffffc
    (280, 0xb400_0007, P - 0x10_0000, 0xb480_0007), // cbz x7, #-0x100000
    (282, 0x1400_0000, P + 0x7ff_fffc, 0x15ff_ffff), // b #0x7fffffc
    (283, 0x9400_0000, P - 0x800_0000, 0x9600_0000), // bl #-0x8000000
    (312, 0xf940_0021, 0x5000_0a78, 0xf945_3c21), // ldr x1, [x1, #0xa78]
    (313, 0xf940_0021, 0x7ff8, 0xf97f_fc21), // ldr x1, [x1, #0x7ff8]
    (549, 0x9140_0021, 0xab_cdef, 0x916a_f021), // add x1, x1, #0xabc, lsl #12
    (551, 0x9100_0021, 0xab_cdef, 0x9137_bc21), // add x1, x1, #0xdef
    (570, 0x3dc0_0021, 0xff0, 0x3dc3_fc21), // ldr q1, [x1, #0xff0]
    (544, 0xd2c0_0001, 0x1234_5678_9abc, 0xd2c2_4681), // movz x1, #0x1234, lsl #32
    (524, 0xd2a0_0001, 0x5678_9abc, 0xd2aa_cf01), // movz x1, #0x5678, lsl #16
    (563, 0xf940_0001, 0x5000_0008, 0xf940_0401), // ldr x1, [x0, #8]
    (564, 0x9100_0000, 0x5000_0008, 0x9100_2000), // add x0, x0, #8
];

fn patched(kind: u32, word: u32, value: u64) -> Result<u32, Unwritable> {
    let field = howto(kind).expect("a known type").field;
    let mut bytes = [0xee; 12];
    bytes[4..8].copy_from_slice(&word.to_le_bytes());
    let before = bytes;
    let result = write(field, &mut bytes, 4, value, P);
    if result.is_err() {
        assert_eq!(bytes, before, "a failed write of type {kind} changed something");
    }
    assert_eq!(bytes[..4], [0xee; 4]);
    assert_eq!(bytes[8..], [0xee; 4]);
    result.map(|()| u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]))
}

#[test]
fn table_is_sorted_and_named() {
    assert!(TYPES.is_sorted_by_key(|&(number, ..)| number));
    assert_eq!(name(283), Some("R_AARCH64_CALL26"));
    assert_eq!(howto(256).map(|howto| howto.operand), Some(Operand::None), "the withdrawn type is a marker");
    for &(number, _) in REFUSED {
        assert_eq!(howto(number), None);
        assert!(name(number).is_some());
    }
    assert_eq!((howto(281), name(281)), (None, None));
    // A dynamic relocation has no place in an object.
    assert_eq!(howto(1027), None);
}

#[test]
fn fields_are_those_of_the_assembler() {
    for &(kind, before, value, after) in GOLDEN {
        let label = name(kind).unwrap_or("unknown");
        let word = patched(kind, before, value).unwrap_or_else(|e| panic!("{label}: {e:?}"));
        assert_eq!(word, after, "{label}: {word:#x} instead of {after:#x}");
        // Whatever the field held, and a second time, the outcome is the same.
        assert_eq!(patched(kind, word, value), Ok(after), "{label}, again");
    }
}

#[test]
fn other_bits_are_kept() {
    for &(kind, _, _, field) in TYPES {
        let Field::A64(instruction) = field else {
            continue;
        };
        let owned = match instruction {
            Instruction::Move { check: Check::Signed, .. } => 0x401f_ffe0,
            Instruction::Move { .. } => 0x001f_ffe0,
            Instruction::Adr | Instruction::Adrp { .. } => 0x60ff_ffe0,
            Instruction::Literal | Instruction::ConditionalBranch => 0x00ff_ffe0,
            Instruction::TestBranch => 0x0007_ffe0,
            Instruction::Branch => 0x03ff_ffff,
            Instruction::Offset { .. } | Instruction::AddHigh => 0x003f_fc00,
        };
        for value in [0, P] {
            for word in [0, !0, 0x1234_5678, 0x8765_4321] {
                if let Ok(after) = patched(kind, word, value) {
                    assert_eq!(after & !owned, word & !owned, "type {kind}");
                }
            }
        }
    }
}

/// The largest and smallest value that fit, the next ones that do not.
#[test]
fn fields_hold_exactly_their_range() {
    const fn below(value: u64) -> u64 {
        0u64.wrapping_sub(value)
    }
    let page = P & !0xfff;
    #[rustfmt::skip]
    let edges: &[(&[u32], u64, u64, u64)] = &[
        // types, lowest, highest, step from the highest to the next
        (&[258], below(1 << 31), 0xffff_ffff, 1),
        (&[259], below(1 << 15), 0xffff, 1),
        (&[261], P - (1 << 31), P + 0xffff_ffff, 1),
        (&[262], P - (1 << 15), P + 0xffff, 1),
        (&[314, 315], P - (1 << 31), P + 0x7fff_ffff, 1),
        (&[308], below(1 << 31), 0x7fff_ffff, 1),
        (&[263], 0, 0xffff, 1),
        (&[265], 0, 0xffff_ffff, 1),
        (&[267], 0, 0xffff_ffff_ffff, 1),
        (&[270, 300, 526, 547], below(1 << 16), 0xffff, 1),
        (&[271, 302, 524, 545], below(1 << 32), 0xffff_ffff, 1),
        (&[272, 304, 523, 544], below(1 << 48), 0xffff_ffff_ffff, 1),
        (&[287], P - (1 << 16), P + 0xffff, 1),
        (&[289], P - (1 << 32), P + 0xffff_ffff, 1),
        (&[291], P - (1 << 48), P + 0xffff_ffff_ffff, 1),
        (&[274, 512, 517, 561], P - (1 << 20), P + 0xf_ffff, 1),
        (&[275, 311, 513, 518, 541, 562], page - (1 << 32), page + (1 << 32) - 1, 1),
        (&[273, 280, 309, 522, 543, 560], P - (1 << 20), P + 0xf_fffc, 4),
        (&[279], P - (1 << 15), P + 0x7ffc, 4),
        (&[282, 283], P - (1 << 27), P + 0x7ff_fffc, 4),
        (&[310, 313], 0, 0x7ff8, 8),
        (&[528, 549], 0, 0xff_ffff, 1),
        (&[529, 531, 550, 552], 0, 0xfff, 1),
        (&[533, 554], 0, 0xffe, 2),
        (&[535, 556], 0, 0xffc, 4),
        (&[537, 558], 0, 0xff8, 8),
        (&[570, 572], 0, 0xff0, 16),
    ];
    for &(kinds, low, high, step) in edges {
        for &kind in kinds {
            for inside in [low, low.wrapping_add(step), high.wrapping_sub(step), high] {
                assert!(patched(kind, 0, inside).is_ok(), "{kind}: {inside:#x}");
            }
            for outside in [low.wrapping_sub(step), high.wrapping_add(step), 1 << 63] {
                let outcome = patched(kind, 0, outside);
                assert_eq!(outcome, Err(Unwritable::Range), "{kind}: {outside:#x}");
            }
        }
    }
}

#[test]
fn unchecked_fields_take_anything_aligned() {
    let unchecked = [
        264, 266, 268, 269, 276, 277, 278, 284, 285, 286, 288, 290, 292, 293, 299, 301, 303, 305, 306, 312,
        514, 519, 525, 527, 530, 532, 534, 536, 538, 542, 546, 548, 551, 553, 555, 557, 559, 563, 564, 571,
        573,
    ];
    for kind in unchecked {
        for value in [0, 0x7fff_ffff_ffff_fff0, 1 << 63, u64::MAX - 0xf] {
            assert!(patched(kind, 0, value).is_ok(), "{kind}: {value:#x}");
        }
    }
}

#[test]
fn scaled_fields_want_alignment() {
    let scaled: &[(&[u32], u64)] = &[
        (&[284, 533, 534, 554, 555], 2),
        (&[285, 535, 536, 556, 557], 4),
        (&[286, 312, 310, 313, 537, 538, 542, 558, 559, 563], 8),
        (&[299, 570, 571, 572, 573], 16),
        // Words of code, and literals, which P is aligned for.
        (&[273, 279, 280, 282, 283, 309, 522, 543, 560], 4),
    ];
    for &(kinds, align) in scaled {
        for &kind in kinds {
            let base = match howto(kind).map(|howto| howto.field) {
                Some(Field::A64(Instruction::Offset { .. })) => 0x100,
                _ => P,
            };
            assert!(patched(kind, 0, base + align).is_ok(), "{kind}");
            for off in 1..align {
                let outcome = patched(kind, 0, base + off);
                assert_eq!(outcome, Err(Unwritable::Range), "{kind}: {off}");
            }
        }
    }
}

#[test]
fn a_movk_stays_one() {
    // movk x3, #0, lsl #16, with a type that is meant for movz and movn
    let value = 0xffff_ffff_fffe_0000;
    assert_eq!(patched(271, 0xf2a0_0003, value), Ok(0xf2bf_ffc3));
}

#[test]
fn fields_lie_inside_the_section() {
    let Some(Howto { field, .. }) = howto(277) else {
        panic!("ADD_ABS_LO12_NC is unknown");
    };
    let mut bytes = [0; 8];
    assert_eq!(write(field, &mut bytes, 4, 0, 0), Ok(()));
    for at in [5, 8, 9, usize::MAX - 3, usize::MAX] {
        let outcome = write(field, &mut bytes, at, 0, 0);
        assert_eq!(outcome, Err(Unwritable::Bounds), "{at:#x}");
    }
}

#[test]
fn veneers_are_for_far_branches() {
    assert!(!needs_veneer(P, P));
    assert!(!needs_veneer(P + 0x7ff_fffc, P));
    assert!(needs_veneer(P + 0x800_0000, P));
    assert!(!needs_veneer(P - 0x800_0000, P));
    assert!(needs_veneer(P - 0x800_0004, P));
    assert!(needs_veneer(0, u64::MAX / 2));
}
