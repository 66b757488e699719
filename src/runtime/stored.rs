//! Compiled modules that are kept on disk.
//!
//! Owns under which key a module's object is stored, and when it is. Knows nothing of files,
//! and of what is stored only that it is decoded as a compiling child's answer is: with
//! checks, because it is not to be believed. So a module that is found needs no child, however
//! little its source is trusted.

use crate::cache::{Cache, CacheKey};
use crate::compile::{self, CompileOptions, Compiled, Level, Patch, Source};
use crate::error::Result;

/// Something that can be stored.
pub(super) struct Task<'a> {
    source: &'a Source,
    kind: &'static str,
    key: Box<dyn Fn() -> CacheKey + 'a>,
}

impl<'a> Task<'a> {
    /// The object of a whole module.
    pub(super) fn object(source: &'a Source, options: &'a CompileOptions) -> Self {
        Self { source, kind: "object", key: Box::new(|| key("object", source.bytes(), options)) }
    }

    /// A module in the form that can be compared.
    pub(super) fn bitcode(source: &'a Source, options: &'a CompileOptions) -> Self {
        Self { source, kind: "bitcode", key: Box::new(|| key("bitcode", source.bytes(), options)) }
    }

    /// Some of a module's functions. What they are made from counts, and not what else is in
    /// their source.
    pub(super) fn patch(
        source: &'a Source,
        options: &'a CompileOptions,
        level: Level,
        patch: &'a Patch,
    ) -> Self {
        let key = move || key("functions", &patch.identity(level), options);
        Self { source, kind: "functions", key: Box::new(key) }
    }
}

/// What `task` comes to, from the cache or by `make`, and whether it was in the cache. Errors
/// are not stored.
pub(super) fn get(
    cache: Option<&Cache>,
    task: &Task<'_>,
    make: &dyn Fn() -> Result<Compiled>,
) -> Result<(Compiled, bool)> {
    let Some(cache) = cache else { return Ok((make()?, false)) };
    let key = (task.key)();
    if let Some(found) = cache.get(&key).and_then(|bytes| compile::from_bytes(&bytes)) {
        return Ok((found, true));
    }
    let compiled = make()?;
    if let Some(bytes) = compile::to_bytes(&compiled) {
        let label = format!("{} {}", task.kind, task.source.file().unwrap_or("of a module in memory"));
        cache.put(&key, &label, &bytes);
    }
    Ok((compiled, false))
}

/// The key for what is compiled from `identity`, which stands for all of the source that code
/// depends on.
fn key(kind: &str, identity: &[u8], options: &CompileOptions) -> CacheKey {
    let mut key = CacheKey::builder(kind);
    compile::settings(options).iter().for_each(|setting| _ = key.text(setting));
    key.bytes(identity).key()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::{CallForm, OptLevel};

    #[test]
    fn an_entry_that_says_something_else_is_made_anew() {
        let folder = std::env::temp_dir().join(format!("hotslot-stored-{}", std::process::id()));
        let cache = Cache::at(&folder);
        let source = Source::ir("define i32 @f() { ret i32 1 }");
        let options = CompileOptions::default();
        let key = key("object", source.bytes(), &options);
        let make = || compile::compile(&source, &options);
        let is_cached = || get(Some(&cache), &Task::object(&source, &options), &make).unwrap().1;
        assert!(!is_cached() && is_cached());
        let whole = cache.get(&key).unwrap();
        for other in [&b""[..], b"nonsense", &whole[..whole.len() - 1], &[&whole[..], &whole[..]].concat()] {
            // A sound entry with such a content.
            cache.put(&key, "", other);
            assert!(!is_cached() && is_cached(), "{} bytes", other.len());
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn every_setting_has_keys_of_its_own() {
        let plain = CompileOptions::default;
        let all = [
            plain(),
            CompileOptions { level: OptLevel::O0, ..plain() },
            CompileOptions { level: OptLevel::O3, ..plain() },
            CompileOptions { call_form: CallForm::Stub, ..plain() },
            CompileOptions { entered_once: vec!["main".into()], ..plain() },
            CompileOptions { cpu: Some("x86-64".into()), ..plain() },
            CompileOptions { cpu: Some("x86-64-v2".into()), ..plain() },
        ];
        for (at, options) in all.iter().enumerate() {
            assert_eq!(key("object", b"x", options), key("object", b"x", &options.clone()));
            assert_ne!(key("object", b"x", options), key("object", b"y", options));
            assert!(
                all[at + 1..].iter().all(|other| key("object", b"x", options) != key("object", b"x", other)),
                "{options:?}"
            );
        }
    }
}
