//! What a value's text consists of, and how it is broken over lines.

/// How long a line may be.
const WIDTH: usize = 100;

/// A part of a value.
pub enum Piece {
    Text(String),
    /// In braces, each part with its name if it has one.
    List(Vec<(Option<String>, Piece)>),
}

impl Piece {
    /// The text, over as many lines as it takes.
    pub fn render(&self) -> String {
        let mut text = String::new();
        self.write(&mut text, 0, 0);
        text
    }

    /// All of it in one line.
    fn flat(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::List(parts) => {
                let parts: Vec<String> = parts
                    .iter()
                    .map(|(name, piece)| match name {
                        Some(name) => format!("{name} = {}", piece.flat()),
                        None => piece.flat(),
                    })
                    .collect();
                format!("{{{}}}", parts.join(", "))
            }
        }
    }

    /// `taken` is how much of the line is before it.
    fn write(&self, text: &mut String, indent: usize, taken: usize) {
        let flat = self.flat();
        let Self::List(parts) = self else { return text.push_str(&flat) };
        if taken + flat.chars().count() <= WIDTH {
            return text.push_str(&flat);
        }
        text.push('{');
        let indent = indent + 2;
        let mut column = WIDTH;
        for (index, (name, piece)) in parts.iter().enumerate() {
            let label = name.as_ref().map_or(String::new(), |name| format!("{name} = "));
            let length = label.chars().count() + piece.flat().chars().count() + 1;
            // Fields have a line each, elements as many as fit.
            if name.is_some() || column + 1 + length > WIDTH {
                text.push('\n');
                text.push_str(&" ".repeat(indent));
                column = indent;
            } else {
                text.push(' ');
                column += 1;
            }
            text.push_str(&label);
            piece.write(text, indent, column + label.chars().count() + 1);
            column += length;
            if index + 1 < parts.len() {
                text.push(',');
            }
        }
        text.push('\n');
        text.push_str(&" ".repeat(indent - 2));
        text.push('}');
    }
}
