//! Blocks and their parts, in threads that are there already and in later ones.
#![allow(unsafe_code)]

use super::*;

/// A block of one part, with these initial bytes.
fn block(size: usize, align: usize, static_model: bool, init: &[u8]) -> Arc<Part> {
    let block = TlsBlock::register(size, align, static_model).unwrap();
    let part = Part::take(&block, size as u64, align as u64).unwrap();
    part.initialise(init);
    part
}

/// The byte of the calling thread's block.
fn byte(part: &Part, at: u64) -> u8 {
    // SAFETY: the tests ask for bytes that the part has.
    unsafe { *address(part.block.word(part.offset + at)) }
}

fn set(part: &Part, at: u64, value: u8) {
    // SAFETY: as above.
    unsafe { *address(part.block.word(part.offset + at)) = value };
}

#[test]
fn every_thread_has_its_own_block() {
    let part = block(16, 16, false, &[7, 8]);
    let word = part.block.word(1);
    let here = address(word);
    assert_eq!(here, address(word));
    assert_eq!((byte(&part, 1), byte(&part, 2)), (8, 0));
    set(&part, 1, 99);
    let there = std::thread::spawn(move || (address(word) as usize, byte(&part, 1))).join().unwrap();
    assert_ne!(there.0, here as usize);
    assert_eq!(there.1, 8);
}

#[test]
fn a_template_takes_its_blocks_with_it() {
    let part = block(8, 8, false, &[]);
    assert!(!address(part.block.word(0)).is_null());
    let index = part.block.index;
    drop(part);
    let again = block(8, 8, false, &[2]);
    if again.block.index == index {
        assert_eq!(byte(&again, 0), 2);
    }
}

#[test]
fn the_static_pool_is_at_a_constant_offset() {
    let part = block(8, 8, true, &[5]);
    let offset = part.block.thread_offset().unwrap();
    let p = thread_pointer().wrapping_offset(offset as isize);
    // SAFETY: inside this thread's pool.
    assert_eq!(unsafe { (*p, *p.add(1)) }, (5, 0));
    assert_eq!(p, address(part.block.word(0)));
    let there = std::thread::spawn(move || {
        start_thread();
        // SAFETY: as above, in the other thread's pool.
        unsafe { *thread_pointer().wrapping_offset(offset as isize) }
    });
    assert_eq!(there.join().unwrap(), 5);
}

#[test]
fn a_part_that_comes_later_is_initialised_in_every_thread() {
    for static_model in [false, true] {
        let first = block(4, 4, static_model, &[1]);
        let (met, when_met) = std::sync::mpsc::channel();
        let (added, when_added) = std::sync::mpsc::channel::<Arc<Part>>();
        let there = first.clone();
        let other = std::thread::spawn(move || {
            start_thread();
            set(&there, 0, 50);
            met.send(()).unwrap();
            let second = when_added.recv().unwrap();
            (byte(&there, 0), byte(&second, 0), byte(&second, 1))
        });
        when_met.recv().unwrap();
        set(&first, 0, 60);
        let second = Part::take(&first.block, 2, 2).unwrap();
        assert!(second.offset >= 4);
        second.initialise(&[9]);
        added.send(second.clone()).unwrap();
        assert_eq!(other.join().unwrap(), (50, 9, 0));
        assert_eq!((byte(&first, 0), byte(&second, 0)), (60, 9));
        let (first, second) = (first.clone(), second.clone());
        let later = std::thread::spawn(move || {
            start_thread();
            (byte(&first, 0), byte(&second, 0))
        });
        assert_eq!(later.join().unwrap(), (1, 9));
    }
}

#[test]
fn parts_that_nothing_holds_are_free() {
    let first = block(4, 4, false, &[1]);
    let take = |size, align| Part::take(&first.block, size, align);
    let second = take(8, 8).unwrap();
    let third = take(8, 8).unwrap();
    assert_eq!((second.offset, third.offset), (8, 16));
    assert!(take(8, 128).is_none(), "the block is not aligned to that");
    assert!(take(first.block.size as u64, 1).is_none());
    set(&second, 0, 77);
    drop(second);
    let again = take(8, 8).unwrap();
    assert_eq!(again.offset, 8);
    again.initialise(&[]);
    assert_eq!(byte(&again, 0), 0, "what the part held before is gone");
    let found = Part::at(&first.block, 17).unwrap();
    assert!(Arc::ptr_eq(&found, &third));
    assert!(Part::at(&first.block, 400).is_none());
    let mut held = Vec::new();
    while let Some(part) = take(16, 1) {
        held.push(part);
    }
    assert!(held.len() >= 14, "there is room for more");
    let mut ranges: Vec<_> = held.iter().map(|part| part.offset).collect();
    ranges.sort_unstable();
    assert!(ranges.windows(2).all(|pair| pair[0] + 16 <= pair[1]));
}
