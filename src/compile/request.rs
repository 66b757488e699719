//! What a lasting child is asked to compile, as bytes.
//!
//! Owns the format: a length, then fields with theirs before them. It goes from hotslot to a copy
//! of itself, which ends if it cannot read it. How the answer looks is [`super::wire`]'s.

use std::collections::HashSet;

use super::diff::Way;
use super::part::{Role, Roles};
use super::{CallForm, CompileOptions, OptLevel};

/// A slice to be compiled.
pub(super) struct Request {
    pub bitcode: Vec<u8>,
    pub options: CompileOptions,
    pub roles: Roles,
}

const LEVELS: [OptLevel; 4] = [OptLevel::O0, OptLevel::O1, OptLevel::O2, OptLevel::O3];
const FORMS: [CallForm; 2] = [CallForm::Slot, CallForm::Stub];
const WAYS: [Way; 3] = [Way::Slot, Way::Direct, Way::None];

/// Where in a list it is.
fn place<T: PartialEq>(list: &[T], item: &T) -> u8 {
    list.iter().position(|other| other == item).unwrap_or_default() as u8
}

pub(super) fn encode(bitcode: &[u8], options: &CompileOptions, roles: &Roles) -> Vec<u8> {
    let mut out = vec![0; 8];
    let CompileOptions { level, call_form, cpu } = options;
    out.extend([place(&LEVELS, level), place(&FORMS, call_form), u8::from(cpu.is_some())]);
    field(&mut out, cpu.as_deref().unwrap_or_default().as_bytes());
    out.extend((roles.functions.len() as u64).to_le_bytes());
    for (name, role) in &roles.functions {
        let flags = match *role {
            Role::Elsewhere => [0, 0, 0, 0, 0],
            Role::Shown { once } => [1, u8::from(once), 0, 0, 0],
            Role::Compiled { candidate, once, kept, way } => {
                [2, u8::from(once), u8::from(candidate), u8::from(kept), place(&WAYS, &way)]
            }
        };
        out.extend(flags);
        field(&mut out, name.as_bytes());
    }
    out.extend((roles.lazy.len() as u64).to_le_bytes());
    roles.lazy.iter().for_each(|name| field(&mut out, name.as_bytes()));
    field(&mut out, bitcode);
    let length = (out.len() - 8) as u64;
    out[..8].copy_from_slice(&length.to_le_bytes());
    out
}

fn field(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u64).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// What follows the length.
pub(super) fn decode(bytes: &[u8]) -> Option<Request> {
    let mut rest = Rest(bytes);
    let [level, form, chosen] = rest.flags()?;
    let cpu = rest.text()?;
    let cpu = (chosen == 1).then_some(cpu);
    let level = *LEVELS.get(usize::from(level))?;
    let options = CompileOptions { level, call_form: *FORMS.get(usize::from(form))?, cpu };
    let mut roles = Roles::default();
    for _ in 0..rest.number()? {
        let [kind, once, candidate, kept, way] = rest.flags()?;
        let once = once == 1;
        let role = match kind {
            0 => Role::Elsewhere,
            1 => Role::Shown { once },
            _ => {
                let way = *WAYS.get(usize::from(way))?;
                Role::Compiled { candidate: candidate == 1, once, kept: kept == 1, way }
            }
        };
        roles.functions.insert(rest.text()?, role);
    }
    let count = rest.number()?;
    roles.lazy = (0..count).map(|_| rest.text()).collect::<Option<HashSet<_, _>>>()?;
    let bitcode = rest.field()?.to_vec();
    rest.0.is_empty().then_some(Request { bitcode, options, roles })
}

struct Rest<'b>(&'b [u8]);

impl<'b> Rest<'b> {
    fn flags<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (flags, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*flags)
    }

    fn number(&mut self) -> Option<u64> {
        self.flags().map(u64::from_le_bytes)
    }

    fn field(&mut self) -> Option<&'b [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (field, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(field)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.field()?.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_as_it_went_and_only_whole() {
        let mut roles = Roles::default();
        let mut all = vec![Role::Elsewhere, Role::Shown { once: true }, Role::Shown { once: false }];
        for (at, way) in WAYS.into_iter().enumerate() {
            let [candidate, once, kept] = [at & 1 == 0, at & 2 == 0, at == 2];
            all.push(Role::Compiled { candidate, once, kept, way });
        }
        for (at, role) in all.iter().enumerate() {
            roles.functions.insert(format!("f{at}"), *role);
        }
        roles.lazy.extend(["one".to_owned(), "two".to_owned()]);
        for level in LEVELS {
            for (call_form, cpu) in [(CallForm::Slot, None), (CallForm::Stub, Some("x86-64".to_owned()))] {
                let options = CompileOptions { level, call_form, cpu };
                let bytes = encode(b"code", &options, &roles);
                let (length, rest) = bytes.split_first_chunk::<8>().unwrap();
                assert_eq!(u64::from_le_bytes(*length), rest.len() as u64);
                let request = decode(rest).unwrap();
                let CompileOptions { level, call_form, cpu } = request.options;
                assert_eq!((level, call_form, cpu), (options.level, options.call_form, options.cpu));
                assert_eq!(request.bitcode, b"code");
                assert_eq!(request.roles.functions, roles.functions);
                assert_eq!(request.roles.lazy, roles.lazy);
                assert!((0..rest.len()).all(|end| decode(&rest[..end]).is_none()));
            }
        }
    }
}
