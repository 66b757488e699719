//! Taking a static archive apart.

use object::read::archive::ArchiveFile;

use crate::error::{Error, ErrorKind, Result};

/// The name and bytes of every member, in order, without the archive's own tables.
pub(super) fn members(archive: &[u8]) -> Result<Vec<(String, &[u8])>> {
    let malformed = |e: &dyn std::fmt::Display| {
        Error::new(ErrorKind::Parse, format!("malformed archive: {e}"))
            .hint("it may be truncated: build it again")
    };
    let file = ArchiveFile::parse(archive).map_err(|e| malformed(&e))?;
    if file.is_thin() {
        return Err(malformed(&"a thin archive does not contain its members"));
    }
    let mut members = Vec::new();
    for member in file.members() {
        let member = member.map_err(|e| malformed(&e))?;
        let bytes = member.data(archive).map_err(|e| malformed(&e))?;
        members.push((String::from_utf8_lossy(member.name()).into_owned(), bytes));
    }
    Ok(members)
}
