//! Compiled modules that are kept on disk.
//!
//! Owns under which key a module's object is stored, and when it is. Knows nothing of files,
//! and of what is stored only that it is decoded as a compiling child's answer is: with
//! checks, because it is not to be believed. So a module that is found needs no child, however
//! little its source is trusted.

use crate::cache::{Cache, CacheKey};
use crate::compile::{self, CompileOptions, Compiled, Source};
use crate::error::Result;

/// What `source` compiles to, and whether that was in the cache. Errors are not stored.
pub(super) fn compiled(
    cache: Option<&Cache>,
    source: &Source,
    options: &CompileOptions,
) -> Result<(Compiled, bool)> {
    // A child that compiles has ended by then.
    let compile = || super::forks::passing(|| compile::compile(source, options));
    let Some(cache) = cache else { return Ok((compile()?, false)) };
    let key = key(source.bytes(), options);
    if let Some(found) = cache.get(&key).and_then(|bytes| compile::from_bytes(&bytes)) {
        return Ok((found, true));
    }
    let compiled = compile()?;
    if let Some(bytes) = compile::to_bytes(&compiled) {
        let label = format!("object {}", source.file().unwrap_or("of a module in memory"));
        cache.put(&key, &label, &bytes);
    }
    Ok((compiled, false))
}

/// The key for what is compiled from `identity`, which stands for all of the source that code
/// depends on.
fn key(identity: &[u8], options: &CompileOptions) -> CacheKey {
    let mut key = CacheKey::builder("object");
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
        let key = key(source.bytes(), &options);
        let is_cached = || compiled(Some(&cache), &source, &options).unwrap().1;
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
            CompileOptions { cpu: Some("x86-64".into()), ..plain() },
            CompileOptions { cpu: Some("x86-64-v2".into()), ..plain() },
        ];
        for (at, options) in all.iter().enumerate() {
            assert_eq!(key(b"x", options), key(b"x", &options.clone()));
            assert_ne!(key(b"x", options), key(b"y", options));
            assert!(all[at + 1..].iter().all(|other| key(b"x", options) != key(b"x", other)), "{options:?}");
        }
    }
}
