//! What a host may hand in, and what is made of it.

use std::sync::Arc;

use super::source::*;
use super::*;

fn kind(bytes: &[u8]) -> Result<SourceKind> {
    Source::from_bytes(bytes).map(|source| source.kind())
}

#[test]
fn content_says_what_it_is() {
    assert_eq!(kind(b"\x7fELF\x02\x01\x01").unwrap(), SourceKind::Object);
    assert_eq!(kind(b"BC\xc0\xde1234").unwrap(), SourceKind::Bitcode);
    assert_eq!(kind(b"\xde\xc0\x17\x0b1234").unwrap(), SourceKind::Bitcode);
    assert_eq!(kind(b"!<arch>\n").unwrap(), SourceKind::Archive);
    for ir in
        ["; ModuleID = 'a'\n", "\n; words\ndefine void @f() {", "@x = global i32 1", "target triple = \"x\""]
    {
        assert_eq!(kind(ir.as_bytes()).unwrap(), SourceKind::Ir, "{ir}");
    }
    for other in [&b""[..], b"int main(void) {}", b"\xff\xfe", b"#!/bin/sh\n"] {
        assert_eq!(kind(other).unwrap_err().kind(), ErrorKind::Parse);
    }
    let mut library = b"\x7fELF\x02\x01\x01".to_vec();
    library.resize(64, 0);
    library[16] = 3;
    assert!(kind(&library).unwrap_err().advice().unwrap().contains("open_library"));
    assert!(kind(b"!<thin>\n").unwrap_err().message().contains("thin"));
}

#[test]
fn files_are_read_and_named_in_errors() {
    let folder = std::env::temp_dir().join(format!("hotslot-source-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let source = Source::from_path(write("odd.ll", b"something $ only LLVM can refuse")).unwrap();
    assert_eq!(source.kind(), SourceKind::Ir);
    assert!(source.file().unwrap().ends_with("odd.ll"));
    let error = Source::from_path(write("a.cpp", b"int x;")).unwrap_err();
    assert!(error.file().unwrap().ends_with("a.cpp") && error.to_string().contains("hotslot run"), "{error}");
    let error = Source::from_path(folder.join("none")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Read);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn sources_are_made_anew() {
    let path = std::env::temp_dir().join(format!("hotslot-anew-{}.ll", std::process::id()));
    std::fs::write(&path, "; one").unwrap();
    let source = Source::from_path(&path).unwrap().trusted();
    std::fs::write(&path, "; two").unwrap();
    let new = source.rebuild().unwrap();
    assert!(&**new.bytes() == b"; two" && new.is_trusted() && new.file() == source.file());
    std::fs::write(&path, archive(&[("a.o", b"\x7fELF1"), ("a.o", b"\x7fELF2")])).unwrap();
    assert_eq!(&**new.rebuild().unwrap().bytes(), &archive(&[("a.o", b"\x7fELF1"), ("a.o", b"\x7fELF2")]));
    let members = Source::from_path(&path).unwrap().label("x.a").members().unwrap();
    std::fs::write(&path, archive(&[("b.o", b"\x7fELF"), ("a.o", b"\x7fELF3"), ("a.o", b"\x7fELF45")]))
        .unwrap();
    let new: Vec<Source> = members.iter().map(|(_, member)| member.rebuild().unwrap()).collect();
    assert_eq!([&**new[0].bytes(), &**new[1].bytes()], [&b"\x7fELF3"[..], b"\x7fELF3"]);
    assert_eq!(new[1].file(), Some("x.a(a.o)"));
    std::fs::write(&path, archive(&[("b.o", b"\x7fELF")])).unwrap();
    assert!(members[0].1.rebuild().unwrap_err().message().contains("no member a.o any more"));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(members[0].1.rebuild().unwrap_err().kind(), ErrorKind::Read);
    // The same bytes where nobody says how; as the host says where it does.
    assert_eq!(&**Source::ir("; a").rebuild().unwrap().bytes(), b"; a");
    let host = Source::ir("; a").label("m").rebuilt_by(|| Ok(Source::ir("; b")));
    let twice = host.rebuild().unwrap().rebuild().unwrap();
    assert_eq!((&**twice.bytes(), twice.file()), (&b"; b"[..], Some("m")));
}

#[test]
fn the_hash_is_of_the_content() {
    assert_eq!(Source::ir("a").hash(), Source::bitcode("a").label("x").hash());
    assert_ne!(Source::ir("a").hash(), Source::ir("b").hash());
    let known = Arc::new(Interface { labels_stay: true, ..Interface::default() });
    assert!(Source::object("a").interface().is_none());
    assert!(Source::object("a").compiled_to(b"a".as_slice().into(), known).interface().unwrap().labels_stay);
}

fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = b"!<arch>\n".to_vec();
    for (name, content) in members {
        let head =
            format!("{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", format!("{name}/"), 0, 0, 0, 644, content.len());
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(content);
        if content.len() % 2 == 1 {
            bytes.push(b'\n');
        }
    }
    bytes
}

#[test]
fn archives_come_apart() {
    let bytes = archive(&[("a.o", b"\x7fELF1"), ("b.bc", b"BC\xc0\xde12"), ("a.o", b"\x7fELF23")]);
    let members = Source::archive(bytes.clone()).label("x.a").members().unwrap();
    let seen: Vec<_> = members.iter().map(|(name, s)| (name.as_str(), s.kind(), s.bytes().len())).collect();
    let (object, bitcode) = (SourceKind::Object, SourceKind::Bitcode);
    assert_eq!(seen, [("a.o", object, 5), ("b.bc", bitcode, 6), ("a.o", object, 6)]);
    assert_eq!(members[1].1.file(), Some("x.a(b.bc)"));
    for end in 0..bytes.len() {
        let _ = Source::archive(&bytes[..end]).members();
    }
    assert!(Source::archive(&bytes[..bytes.len() - 3]).members().is_err());
    assert!(Source::archive(archive(&[("readme", b"text")])).members().is_err());
    let zero = Source::archive(archive(&[("a\0b.o", b"\x7fELF1")])).members().unwrap_err();
    assert!(zero.message().contains("zero byte"), "{zero}");
}
