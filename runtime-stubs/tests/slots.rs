//! The table's arithmetic.

use runtime_stubs::TableLayout;

const LAYOUT: TableLayout = TableLayout { calls: 0x1000, addrs: 0x2000, stubs: 0x3000, pairs: 0x4000 };

#[test]
fn cells_of_a_symbol() {
    const SLOT: u64 = LAYOUT.call_slot(3);
    assert_eq!(SLOT, 0x1018);
    assert_eq!(LAYOUT.addr_cell(3), 0x2018);
    assert_eq!(LAYOUT.stub(3), 0x3030);
    assert_eq!(LAYOUT.pair(3), 0x4030);
    assert_eq!(LAYOUT.pair(u32::MAX), 0x4000 + 0xf_ffff_fff0);
}

#[test]
fn symbol_of_a_stub() {
    assert_eq!(LAYOUT.stub_index(0x3000, 2), Some(0));
    assert_eq!(LAYOUT.stub_index(0x300f, 2), Some(0));
    assert_eq!(LAYOUT.stub_index(0x301f, 2), Some(1));
    assert_eq!(LAYOUT.stub_index(0x3020, 2), None);
    assert_eq!(LAYOUT.stub_index(0x2fff, 2), None);
    assert_eq!(LAYOUT.stub_index(0, 2), None);
}
