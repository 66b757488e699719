//! C's words: what each reserved word is to the parser.
//!
//! Knows the spelling of keywords, GNU's among them, and nothing of where they may stand.

/// What a word is to the parser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// Any name.
    Name,
    Struct,
    Enum,
    Typedef,
    Extern,
    Static,
    Inline,
    /// `register`.
    Register,
    /// `auto`, a storage class or a type to be found.
    Auto,
    ThreadLocal,
    Constexpr,
    Qualifier,
    /// `int` and its like.
    Type,
    /// A word with brackets that is a type: `typeof(x)`, `_BitInt(7)`.
    Typeof,
    /// `_Atomic`, with or without brackets.
    Atomic,
    /// A word with brackets that says more of a declaration: attributes, alignment.
    Attribute,
    /// `__extension__`.
    Extension,
    Asm,
    /// `_Static_assert`.
    Assert,
    If,
    Else,
    For,
    While,
    Do,
    Switch,
    Case,
    Default,
    Goto,
    /// `return`, `break`, `continue`.
    Leave,
    /// A word that stands before an operand: `sizeof`, `_Alignof`.
    Operator,
    /// `_Generic`.
    Generic,
}

impl Word {
    /// Whether a declaration begins with this word wherever it stands first.
    pub fn declares(self) -> bool {
        use Word::*;
        matches!(
            self,
            Struct
                | Enum
                | Typedef
                | Extern
                | Static
                | Inline
                | Register
                | Auto
                | ThreadLocal
                | Constexpr
                | Qualifier
                | Type
                | Typeof
                | Atomic
        )
    }

    /// Whether only a statement begins with this word.
    pub fn leads_statement(self) -> bool {
        use Word::*;
        matches!(self, Asm | Assert | If | Else | For | While | Do | Switch | Case | Default | Goto | Leave)
    }
}

/// What `text`, spelled as an identifier, is.
pub(super) fn word(text: &[u8]) -> Word {
    use Word::*;
    // Nearly every word is a name, and most names are told by how they begin.
    if !matches!(text.first(), Some(b'_' | b'a'..=b'w')) {
        return Name;
    }
    match text {
        b"struct" | b"union" => Struct,
        b"enum" => Enum,
        b"typedef" => Typedef,
        b"extern" => Extern,
        b"static" => Static,
        b"inline" | b"__inline" | b"__inline__" | b"_Noreturn" => Inline,
        b"register" => Register,
        b"auto" | b"__auto_type" => Auto,
        b"_Thread_local" | b"__thread" | b"thread_local" => ThreadLocal,
        b"constexpr" => Constexpr,
        b"const" | b"volatile" | b"restrict" | b"__const" | b"__const__" | b"__volatile"
        | b"__volatile__" | b"__restrict" | b"__restrict__" | b"_Nonnull" | b"_Nullable" => Qualifier,
        b"int" | b"char" | b"void" | b"long" | b"short" | b"float" | b"double" | b"signed" | b"unsigned"
        | b"_Bool" | b"bool" | b"_Complex" | b"_Imaginary" | b"__signed" | b"__signed__" | b"__complex__"
        | b"__complex" | b"__int128" | b"__int128_t" | b"__uint128_t" | b"__float128" | b"_Float16"
        | b"_Float32" | b"_Float64" | b"_Float128" | b"_Float32x" | b"_Float64x" | b"__bf16"
        | b"__builtin_va_list" | b"_Decimal32" | b"_Decimal64" | b"_Decimal128" => Type,
        b"typeof" | b"__typeof" | b"__typeof__" | b"typeof_unqual" | b"_BitInt" => Typeof,
        b"_Atomic" => Atomic,
        b"__attribute__" | b"__attribute" | b"__declspec" | b"_Alignas" | b"alignas" | b"_Pragma" => {
            Attribute
        }
        b"__extension__" => Extension,
        b"asm" | b"__asm" | b"__asm__" => Asm,
        b"_Static_assert" | b"static_assert" => Assert,
        b"if" => If,
        b"else" => Else,
        b"for" => For,
        b"while" => While,
        b"do" => Do,
        b"switch" => Switch,
        b"case" => Case,
        b"default" => Default,
        b"goto" => Goto,
        b"return" | b"break" | b"continue" => Leave,
        b"sizeof" | b"_Alignof" | b"alignof" | b"__alignof__" | b"__alignof" | b"__real__" | b"__imag__" => {
            Operator
        }
        b"_Generic" => Generic,
        _ => Name,
    }
}
