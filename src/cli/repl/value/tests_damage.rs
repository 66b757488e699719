//! Objects and types that no compiler made: nothing panics, all ends, what is said stays short.

use std::borrow::Cow;
use std::collections::HashMap;
use std::process::Command;
use std::sync::LazyLock;

use object::{Object as _, ObjectSection as _};
use proptest::prelude::*;

use super::types::{Count, Encoding, Function, Kind, Member, Place, Qualifier};
use super::{TypeId, Types, show_at_width};

/// What is said of one value or type is not longer, whatever it is.
const LONGEST: usize = 4_000_000;

/// An object with types of all kinds.
static OBJECT: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let [c, o] = ["types.c", "types.o"].map(|name| folder.path().join(name));
    let source = "
        struct list { struct list *next; int a : 3; union { char text[8]; double d; }; };
        typedef struct list list_t;
        enum color { RED, GREEN = 4 };
        list_t l; enum color e; int grid[3][4]; const char *s; list_t many[5]; _Complex double z;
        int (*f)(list_t *, enum color, ...); float v __attribute__((vector_size(16))); _Atomic int i;
        int g(int n) { int a[n]; return a[0]; }";
    std::fs::write(&c, source).unwrap();
    let status = Command::new("clang-19").args(["-g", "-c", "-o"]).args([&o, &c]).status().unwrap();
    assert!(status.success());
    std::fs::read(o).unwrap()
});

/// Where the sections that are read are in the object.
static PLACES: LazyLock<Vec<(usize, usize)>> = LazyLock::new(|| {
    let file = object::read::elf::ElfFile64::<object::LittleEndian>::parse(&OBJECT[..]).unwrap();
    let mut places: Vec<_> = file
        .sections()
        .filter(|section| section.name().is_ok_and(|name| name.contains(".debug_")))
        .filter_map(|section| section.file_range())
        .map(|(start, size)| (start as usize, size as usize))
        .collect();
    places.push((0, OBJECT.len()));
    places
});

/// Looks at everything in every way.
fn look(types: &Types<'_>) {
    let memory: Vec<u8> = (0..=255).cycle().take(1 << 16).collect();
    let mut every: Vec<TypeId> = types.variables.values().copied().collect();
    every.extend((0..types.all.len().min(64)).map(|index| TypeId(index as u32)));
    for kind in every {
        for text in [types.spelling(kind), types.definition(kind), types.declaration(kind, "name")] {
            assert!(text.len() < LONGEST, "{}", text.len());
        }
        let _ = (types.size(kind), types.target(kind));
        for address in [memory.as_ptr() as u64, 8, u64::MAX - 3] {
            let text = show_at_width(types, kind, address, &|_| Some("name".to_owned()), 80);
            assert!(text.len() < LONGEST, "{}", text.len());
        }
    }
}

fn kinds() -> impl Strategy<Value = Kind<'static>> {
    let id = || (0u32..24).prop_map(TypeId);
    let size = || prop_oneof![0u64..40, any::<u64>()];
    let name =
        || prop_oneof![Just("a"), Just("char16_t"), Just("long double"), Just("")].prop_map(Cow::Borrowed);
    let encoding = prop_oneof![
        Just(Encoding::Boolean),
        Just(Encoding::Signed),
        Just(Encoding::Unsigned),
        Just(Encoding::Character),
        Just(Encoding::Utf),
        Just(Encoding::Float),
        Just(Encoding::Complex),
        Just(Encoding::ComplexInteger),
        Just(Encoding::Other),
    ];
    let qualifier = prop_oneof![Just(Qualifier::Const), Just(Qualifier::Atomic), Just(Qualifier::Restrict)];
    let count = prop_oneof![size().prop_map(Count::Known), Just(Count::Open), Just(Count::Variable)];
    let place = prop_oneof![
        size().prop_map(Place::Bytes),
        (size(), size()).prop_map(|(first, count)| Place::Bits { first, count })
    ];
    let member = (proptest::option::of(name()), id(), place);
    let members = proptest::collection::vec(member, 0..5);
    prop_oneof![
        Just(Kind::Void),
        Just(Kind::Null),
        Just(Kind::Unknown),
        (name(), encoding, size()).prop_map(|(name, encoding, size)| Kind::Base { name, encoding, size }),
        id().prop_map(Kind::Pointer),
        (qualifier, id()).prop_map(|(qualifier, of)| Kind::Qualified(qualifier, of)),
        (name(), id()).prop_map(|(name, of)| Kind::Named(name, of)),
        (id(), count, any::<bool>()).prop_map(|(element, count, vector)| Kind::Array {
            element,
            count,
            vector
        }),
        (any::<bool>(), proptest::option::of(name()), proptest::option::of(size()), members).prop_map(
            |(union, name, size, members)| {
                let member = |(name, kind, place)| Member { name, kind, place };
                Kind::Record { union, name, size, members: members.into_iter().map(member).collect() }
            }
        ),
        (proptest::option::of(id()), proptest::option::of(size()), proptest::collection::vec(size(), 0..5))
            .prop_map(|(base, size, values)| {
                let enumerators = values.into_iter().map(|value| ("E".into(), value)).collect();
                Kind::Enumeration { name: None, base, size, enumerators }
            }),
        (id(), proptest::collection::vec(id(), 0..4), any::<bool>(), any::<bool>()).prop_map(
            |(result, parameters, variadic, prototyped)| {
                Kind::Function(Function { result, parameters, variadic, prototyped })
            }
        ),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn damaged_objects(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..12)) {
        let mut object = OBJECT.clone();
        for (place, at, byte) in changes {
            let (start, size) = PLACES[place.index(PLACES.len())];
            if size > 0 {
                object[start + at.index(size)] = byte;
            }
        }
        if let Ok(types) = Types::of(&object) {
            look(&types);
        }
    }

    #[test]
    fn objects_cut_off(length in any::<prop::sample::Index>()) {
        if let Ok(types) = Types::of(&OBJECT[..length.index(OBJECT.len())]) {
            look(&types);
        }
    }

    #[test]
    fn types_that_make_no_sense(all in proptest::collection::vec(kinds(), 1..24)) {
        look(&Types { all, variables: HashMap::new() });
    }
}

#[test]
fn the_object_itself_is_read() {
    let types = Types::of(&OBJECT).unwrap();
    assert_eq!(types.spelling(types.variable("f").unwrap()), "int (*)(list_t *, enum color, ...)");
    look(&types);
}

#[test]
fn long_chains_end() {
    let mut all: Vec<Kind<'static>> = (1..100_000).map(|next| Kind::Pointer(TypeId(next))).collect();
    all.push(Kind::Pointer(TypeId(0)));
    let types = Types { all, variables: HashMap::new() };
    assert!(types.spelling(TypeId(0)).starts_with("... *"));
    // A structure of structures of structures, each many times.
    let all = (1..60).map(|next| {
        let member = |_| Member { name: Some("m".into()), kind: TypeId(next), place: Place::Bytes(0) };
        Kind::Record { union: false, name: None, size: Some(8), members: (0..50).map(member).collect() }
    });
    look(&Types { all: all.collect(), variables: HashMap::new() });
}
