//! The words of a piece of C: what is an identifier, what is punctuation, how deep it stands.
//!
//! Owns the few questions that the session has about a text whose kind is known already: where a
//! storage class stands, whether there is an initialiser, which names a declaration mentions. What
//! kind a text is, and whether it is whole, is `syntax`'s business.

use std::ops::Range;

/// A token of C.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'t> {
    pub text: &'t str,
    pub at: usize,
    /// How many brackets of any kind are open around it.
    pub depth: usize,
}

impl Token<'_> {
    /// Whether it is an identifier or a keyword.
    pub fn is_word(&self) -> bool {
        self.text.starts_with(|c: char| c == '_' || c == '$' || c.is_alphabetic())
    }

    fn range(&self) -> Range<usize> {
        self.at..self.at + self.text.len()
    }
}

/// The tokens of `text`, without comments; a literal is one token, any other sign one of its own.
pub fn of(text: &str) -> Vec<Token<'_>> {
    let bytes = text.as_bytes();
    let (mut tokens, mut at, mut depth) = (Vec::new(), 0, 0usize);
    while at < bytes.len() {
        let rest = &text[at..];
        let first = bytes[at];
        let length = if first.is_ascii_whitespace() {
            at += 1;
            continue;
        } else if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
            continue;
        } else if rest.starts_with("/*") {
            at += rest.find("*/").map_or(rest.len(), |end| end + 2);
            continue;
        } else if first == b'"' || first == b'\'' {
            literal(rest)
        } else if first == b'_' || first == b'$' || first >= 0x80 || first.is_ascii_alphanumeric() {
            // Numbers too: nothing is asked about them.
            let is_end = |c: char| !(c == '_' || c == '$' || c.is_alphanumeric());
            rest.find(is_end).unwrap_or(rest.len()).max(rest.chars().next().map_or(1, char::len_utf8))
        } else {
            1
        };
        if matches!(first, b')' | b']' | b'}') {
            depth = depth.saturating_sub(1);
        }
        tokens.push(Token { text: &rest[..length], at, depth });
        if matches!(first, b'(' | b'[' | b'{') {
            depth += 1;
        }
        at += length;
    }
    tokens
}

/// The length of a string or character literal, as far as it goes.
pub fn literal(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'\n' => return at,
            byte if byte == bytes[0] => return at + 1,
            _ => at += 1,
        }
    }
    // A backslash may be the last, or be followed by more than one byte.
    (at.min(bytes.len())..=bytes.len()).find(|&end| text.is_char_boundary(end)).unwrap_or(bytes.len())
}

/// Words that say how a name is linked, which is not as written here.
const STORAGE: &[&str] =
    &["static", "inline", "__inline", "__inline__", "extern", "register", "auto", "typedef"];

/// Words of C's that types are made of.
const OF_TYPES: &[&str] = &[
    "void", "char", "short", "int", "long", "float", "double", "signed", "unsigned", "bool", "const",
    "volatile", "restrict", "struct", "union", "enum", "static", "typeof", "register",
];

/// A declaration however it was laid out, without the names of its parameters.
pub fn unnamed(declaration: &str) -> String {
    let tokens = of(declaration);
    let is_name = |at: usize| {
        let (token, before, next) = (tokens[at], tokens.get(at.wrapping_sub(1)), tokens.get(at + 1));
        // Behind these it is a type.
        let is_type = |before: &Token<'_>| {
            ["const", "volatile", "restrict", "struct", "union", "enum", "register"].contains(&before.text)
        };
        token.depth > 0
            && token.is_word()
            && !OF_TYPES.contains(&token.text)
            && before.is_some_and(|before| before.text == "*" || before.is_word() && !is_type(before))
            && next.is_some_and(|next| matches!(next.text, "," | ")" | "["))
    };
    let kept = (0..tokens.len()).filter(|&at| !is_name(at)).map(|at| tokens[at].text);
    kept.collect::<Vec<_>>().join(" ")
}

/// A definition of a function or variable with its storage class blanked out: a module exports what
/// it defines.
pub fn exported(text: &str) -> String {
    let tokens = of(text);
    let mut text = text.to_owned();
    for token in &tokens {
        // An attribute or the parameters come in brackets; a body or an initialiser ends the part
        // where storage classes stand.
        if token.depth == 0 && matches!(token.text, "=" | "{") {
            break;
        }
        if token.depth == 0 && STORAGE.contains(&token.text) && token.text != "typedef" {
            text.replace_range(token.range(), &" ".repeat(token.text.len()));
        }
    }
    text
}

/// Where the initialiser of a variable's definition begins, behind its `=`.
pub fn initialiser(text: &str) -> Option<usize> {
    of(text).iter().find(|token| token.depth == 0 && token.text == "=").map(|token| token.at + 1)
}

/// Whether the word stands in the text.
pub fn mentions(text: &str, word: &str) -> bool {
    of(text).iter().any(|token| token.text == word)
}

/// The text with its declarator's name, the first such word that is no tag and no field, replaced.
pub fn renamed(text: &str, name: &str, new: &str) -> String {
    let tokens = of(text);
    let is_other = |before: &Token<'_>| matches!(before.text, "struct" | "union" | "enum" | ".");
    let found = (0..tokens.len())
        .find(|&at| tokens[at].text == name && !at.checked_sub(1).is_some_and(|b| is_other(&tokens[b])));
    let mut text = text.to_owned();
    if let Some(found) = found {
        text.replace_range(tokens[found].range(), new);
    }
    text
}

/// A declaration of a variable that can be written to, whatever it says of itself.
pub fn writable(declaration: &str) -> String {
    let tokens = of(declaration);
    let end = tokens.iter().position(|token| token.depth == 0 && token.text == "=").unwrap_or(tokens.len());
    let own = tokens[..end].iter().rposition(|token| token.text == "*").map_or(0, |at| at + 1);
    let mut text = declaration.to_owned();
    for token in tokens[own..end].iter().filter(|token| token.text == "const") {
        text.replace_range(token.range(), &" ".repeat(token.text.len()));
    }
    text
}

/// A declaration with the first length that is missing in it.
pub fn with_length(declaration: &str, length: u64) -> String {
    let tokens = of(declaration);
    let open = tokens.windows(2).find(|pair| pair[0].text == "[" && pair[1].text == "]");
    let at = open.map_or(declaration.len(), |pair| pair[1].at);
    format!("{}{length}{}", &declaration[..at], &declaration[at..])
}

/// Whether a variable's declaration defines a type that has no name.
pub fn has_nameless_type(declaration: &str) -> bool {
    let tokens = of(declaration);
    let is_tag = |word: &str| matches!(word, "struct" | "union" | "enum");
    let mut own = tokens.iter().filter(|token| token.depth == 0).take_while(|token| token.text != "=");
    let Some(_) = own.by_ref().find(|token| is_tag(token.text)) else { return false };
    // An attribute, `__attribute__((packed))`, may come first; its brackets are not at this depth.
    own.find(|token| !matches!(token.text, "__attribute__" | "__attribute" | "(" | ")" | "[" | "]"))
        .is_some_and(|token| token.text == "{")
}

/// The text on one line, without comments.
pub fn line(text: &str) -> String {
    let mut line = String::new();
    let mut end = 0;
    for token in of(text) {
        if token.at > end && end > 0 {
            line.push(' ');
        }
        line.push_str(token.text);
        end = token.range().end;
    }
    line
}

/// The same declaration, however it was laid out.
pub fn normal(text: &str) -> String {
    of(text).iter().map(|token| token.text).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_comments_are_no_words() {
        let words = |text| of(text).into_iter().filter(Token::is_word).map(|t| t.text).collect::<Vec<_>>();
        assert_eq!(words("a /* b */ = \"c \\\" d\" + 'e'; // f\ng"), ["a", "g"]);
        assert_eq!(words("x1 = 0x1f + 1e5"), ["x1"]);
        assert!(of("\"\\").len() == 1 && of("'\\\u{e9}").len() == 1);
    }

    #[test]
    fn storage_classes_go_where_they_are_of_the_definition() {
        let plain = exported("static inline int f(int a[static 2]) { static int n; return n; }");
        assert_eq!(plain, "              int f(int a[static 2]) { static int n; return n; }");
        assert_eq!(exported("static int x = sizeof(int);"), "       int x = sizeof(int);");
    }

    #[test]
    fn declarators_are_found() {
        assert_eq!(initialiser("int x;"), None);
        assert_eq!(initialiser("int x[(2 == 2)] = {1};"), Some(17));
        assert_eq!(renamed("struct x x = {&x};", "x", "y"), "struct x y = {&x};");
        assert_eq!(writable("const char *const p = \"const\";"), "const char *      p = \"const\";");
        assert_eq!(writable("const int x;"), "      int x;");
        assert_eq!(with_length("int a[], b[];", 3), "int a[3], b[];");
        assert_eq!(
            unnamed("int f(int a, T *b, unsigned, const T)"),
            unnamed("int f(int, T *, unsigned c, const T)")
        );
        assert_ne!(unnamed("int f(const T)"), unnamed("int f(const U)"));
        assert_ne!(unnamed("int f(unsigned int)"), unnamed("int f(unsigned char)"));
        assert_ne!(unnamed("int f(struct s)"), unnamed("int f(struct t)"));
        assert!(has_nameless_type("static struct __attribute__((packed)) { int x; } s[] = {{1}};"));
        assert!(has_nameless_type("const enum { A } e;"));
        assert!(!has_nameless_type("struct s { int x; } s;") && !has_nameless_type("struct s s = {1};"));
        assert!(!has_nameless_type("int x = ((struct { int x; }){1}).x;"));
        assert_eq!(line("int  *f( int a,\n    /* the\n second */ T b );"), "int *f( int a, T b );");
        assert_eq!(normal("int  f( int a )"), normal("int f(int a) /* same */"));
    }
}
