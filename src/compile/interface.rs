//! What a module tells others of its types, and how it is initialised.
//!
//! Owns the lists and looking things up in them. Deliberately does not know how they are
//! found out: [`super::types`] does that for IR, [`super::debug_info`] for objects.

use super::layout::VariableType;

/// Where the types in an [`Interface`] are from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Types {
    /// From IR: complete.
    Ir,
    /// From debug information: what there is.
    DebugInfo,
    /// There are none.
    #[default]
    Unknown,
}

/// What is known of a module's types. All lists but that of initialisers are sorted by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Interface {
    pub checked: Types,
    /// Functions it defines for others, with their types in the words of
    /// [`super::signature`].
    pub defined: Vec<(String, String)>,
    /// Functions of others it refers to, as it calls them. One that it declares without
    /// prototype and never calls, or calls in ways that differ, is not here.
    pub declared: Vec<(String, String)>,
    /// Variables by symbol, those of the module alone included.
    pub variables: Vec<(String, VariableType)>,
    /// Functions that are run when it is loaded, in order, each with the variables it
    /// initialises: none for what the source calls a constructor.
    pub initialisers: Vec<(String, Vec<String>)>,
    /// Variables by symbol that hold addresses of labels from the start, or distances of some.
    pub label_tables: Vec<String>,
    /// Whether addresses of labels provably stay in registers and on the stack of the
    /// function they are in.
    pub labels_stay: bool,
}

impl Interface {
    /// Sorts the lists that are to be sorted. Of several entries for one name only the
    /// first stays.
    pub(super) fn sort(&mut self) {
        for list in [&mut self.defined, &mut self.declared] {
            list.sort();
            list.dedup_by(|a, b| a.0 == b.0);
        }
        self.label_tables.sort();
        self.variables.sort_by(|a, b| a.0.cmp(&b.0));
        self.variables.dedup_by(|a, b| a.0 == b.0);
    }

    /// The type of the function `name`, if it is defined here.
    pub(crate) fn type_of(&self, name: &str) -> Option<&str> {
        find(&self.defined, name).map(String::as_str)
    }

    /// The type that the function `name` is called with here.
    pub(crate) fn declared_type_of(&self, name: &str) -> Option<&str> {
        find(&self.declared, name).map(String::as_str)
    }

    /// Whether the variable with the symbol `name` is a table of labels.
    pub(crate) fn is_label_table(&self, name: &str) -> bool {
        self.label_tables.binary_search_by(|known| known.as_str().cmp(name)).is_ok()
    }

    /// The type of the variable with the symbol `name`.
    pub(crate) fn variable(&self, name: &str) -> Option<&VariableType> {
        find(&self.variables, name)
    }
}

fn find<'l, T>(list: &'l [(String, T)], name: &str) -> Option<&'l T> {
    let at = list.binary_search_by(|(n, _)| n.as_str().cmp(name)).ok()?;
    Some(&list[at].1)
}
