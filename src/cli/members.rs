//! Finds the source of a module that came out of an archive.
//!
//! The library names it `archive(member)`, where the archive is the path of a file: one that
//! was given, or one that a `-l` led to. Owns reading that name back; what is done with the
//! source is not known here.

use hotslot::Source;
use object::read::archive::ArchiveFile;

use super::failure::Failure;

/// The archive and member of a module's name, and which of several members of that name.
fn parts(module: &str) -> Option<(&str, &str, usize)> {
    let (archive, member) = module.strip_suffix(')')?.rsplit_once('(')?;
    let numbered = member.rsplit_once('#').and_then(|(name, number)| Some((name, number.parse().ok()?)));
    let (member, number) = numbered.unwrap_or((member, 1));
    Some((archive, member, number))
}

/// The source of the module called `module`.
pub fn source(module: &str) -> Result<Source, Failure> {
    let unknown = || Failure::new(format!("{module}: its file is not known"));
    let (archive, member, number) = parts(module).ok_or_else(unknown)?;
    let failed = |error: &dyn std::fmt::Display| Failure::new(format!("{archive}: {error}"));
    let bytes = std::fs::read(archive).map_err(|e| failed(&e))?;
    let file = ArchiveFile::parse(&*bytes).map_err(|e| failed(&e))?;
    let mut members = file.members().filter_map(Result::ok).filter(|m| m.name() == member.as_bytes());
    let found = members.nth(number - 1).ok_or_else(unknown)?;
    let code = found.data(&*bytes).map_err(|e| failed(&e))?;
    Ok(Source::from_bytes(code)?.label(archive))
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn names_of_modules() {
        assert_eq!(parts("/a/lib(x).a(b.o)"), Some(("/a/lib(x).a", "b.o", 1)));
        assert_eq!(parts("l.a(b.o#3)"), Some(("l.a", "b.o", 3)));
        assert_eq!(parts("l.a(b#x.o)"), Some(("l.a", "b#x.o", 1)));
        assert_eq!(parts("main.c"), None);
    }
}
