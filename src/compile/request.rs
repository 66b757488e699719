//! What a lasting child is asked to compile, as bytes.
//!
//! Owns which fields there are. They go from hotslot to a copy of itself, which ends if it cannot
//! read them. How fields are written, and how the answer looks, is [`super::wire`]'s.

use super::diff::Way;
use super::part::{Role, Roles};
use super::wire::{Fields, Out};
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

/// The request, its length before it.
pub(super) fn encode(bitcode: &[u8], options: &CompileOptions, roles: &Roles) -> Vec<u8> {
    let mut out = Out::default();
    // Who is entered once is among the roles.
    let CompileOptions { level, call_form, cpu, entered_once: _ } = options;
    out.bytes(&[place(&LEVELS, level), place(&FORMS, call_form), u8::from(cpu.is_some())]);
    out.bytes(cpu.as_deref().unwrap_or_default().as_bytes());
    out.number(roles.functions.len() as u64);
    for (name, role) in &roles.functions {
        out.bytes(&match *role {
            Role::Elsewhere => [0, 0, 0, 0, 0],
            Role::Shown { once } => [1, u8::from(once), 0, 0, 0],
            Role::Compiled { candidate, once, kept, way } => {
                [2, u8::from(once), u8::from(candidate), u8::from(kept), place(&WAYS, &way)]
            }
        });
        out.bytes(name.as_bytes());
    }
    for names in [&roles.lazy, &roles.entered_once] {
        out.number(names.len() as u64);
        names.iter().for_each(|name| out.bytes(name.as_bytes()));
    }
    out.bytes(bitcode);
    let fields = out.finish();
    [&(fields.len() as u64).to_le_bytes(), &fields[..]].concat()
}

/// What follows the length.
pub(super) fn decode(bytes: &[u8]) -> Option<Request> {
    let mut fields = Fields::split(bytes)?;
    let [level, form, chosen]: [u8; 3] = fields.bytes()?.try_into().ok()?;
    let cpu = fields.text()?;
    let cpu = (chosen == 1).then_some(cpu);
    let level = *LEVELS.get(usize::from(level))?;
    let call_form = *FORMS.get(usize::from(form))?;
    let options = CompileOptions { level, call_form, cpu, ..CompileOptions::default() };
    let functions = fields.list(|fields| {
        let [kind, once, candidate, kept, way]: [u8; 5] = fields.bytes()?.try_into().ok()?;
        let once = once == 1;
        let role = match kind {
            0 => Role::Elsewhere,
            1 => Role::Shown { once },
            _ => {
                let way = *WAYS.get(usize::from(way))?;
                Role::Compiled { candidate: candidate == 1, once, kept: kept == 1, way }
            }
        };
        Some((fields.text()?, role))
    })?;
    let lazy = fields.list(Fields::text)?.into_iter().collect();
    let entered_once = fields.list(Fields::text)?.into_iter().collect();
    let roles = Roles { functions: functions.into_iter().collect(), lazy, entered_once };
    let bitcode = fields.bytes()?.to_vec();
    fields.bytes().is_none().then_some(Request { bitcode, options, roles })
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
        roles.entered_once.insert("main".to_owned());
        for level in LEVELS {
            for (call_form, cpu) in [(CallForm::Slot, None), (CallForm::Stub, Some("x86-64".to_owned()))] {
                let options = CompileOptions { level, call_form, cpu, ..CompileOptions::default() };
                let bytes = encode(b"code", &options, &roles);
                let (length, rest) = bytes.split_first_chunk::<8>().unwrap();
                assert_eq!(u64::from_le_bytes(*length), rest.len() as u64);
                let request = decode(rest).unwrap();
                let CompileOptions { level, call_form, cpu, .. } = request.options;
                assert_eq!((level, call_form, cpu), (options.level, options.call_form, options.cpu));
                assert_eq!(request.bitcode, b"code");
                assert_eq!(request.roles.functions, roles.functions);
                assert_eq!(request.roles.lazy, roles.lazy);
                assert_eq!(request.roles.entered_once, roles.entered_once);
                assert!((0..rest.len()).all(|end| decode(&rest[..end]).is_none()));
            }
        }
    }
}
