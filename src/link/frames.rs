//! Checking call frame information before the unwinder sees it.
//!
//! The system's unwinder trusts what it is given and aborts on nonsense. Owns the proof
//! that every record is well formed and describes code of its own image; deliberately
//! knows nothing of registration.

use gimli::{BaseAddresses, CieOrFde, EhFrame, LittleEndian, UnwindSection};

use crate::error::{Error, ErrorKind, Result};

/// Checks the relocated records `bytes` at `address`, for an image whose code is `code`.
pub(super) fn check(bytes: &[u8], address: u64, code: std::ops::Range<u64>) -> Result<()> {
    let malformed = |what: &dyn std::fmt::Display| {
        Error::new(ErrorKind::Link, format!("malformed unwind information (.eh_frame): {what}"))
            .hint("the object may be damaged: build it again")
    };
    crate::fault::step("unwind information")?;
    let section = EhFrame::new(bytes, LittleEndian);
    let bases = BaseAddresses::default().set_eh_frame(address);
    let mut entries = section.entries(&bases);
    while let Some(entry) = entries.next().map_err(|e| malformed(&e))? {
        if let CieOrFde::Fde(partial) = entry {
            let fde = partial
                .parse(|section, bases, offset| section.cie_from_offset(bases, offset))
                .map_err(|e| malformed(&e))?;
            let (start, end) = (fde.initial_address(), fde.initial_address().wrapping_add(fde.len()));
            if end < start || start < code.start || end > code.end {
                return Err(malformed(&format_args!(
                    "a record covers {start:#x}..{end:#x}, outside its module's code"
                )));
            }
        }
    }
    Ok(())
}
