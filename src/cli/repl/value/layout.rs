//! Nested text over lines.
//!
//! Owns where lines are broken: what fits stays on one line, otherwise members go on lines of
//! their own, and short elements fill lines. Deliberately knows nothing of types and values.

/// Text that can be broken between its parts.
#[derive(Debug, Clone)]
pub enum Text {
    Plain(String),
    /// In braces: each part with what goes in front of it.
    Parts(Vec<(String, Text)>),
    /// With something behind it that stays on its line.
    Followed(Box<Text>, String),
}

impl Text {
    pub fn plain(text: impl Into<String>) -> Self {
        Self::Plain(text.into())
    }

    /// On lines of at most `width` characters, where that can be done.
    pub fn lines(&self, width: usize) -> String {
        let mut text = String::new();
        self.write(&mut text, 0, 0, width);
        text
    }

    /// How wide it is on one line, or that it is wider than there is room.
    fn flat(&self, room: usize) -> Option<usize> {
        match self {
            Self::Plain(text) => Some(text.chars().count()).filter(|&width| width <= room),
            Self::Followed(text, after) => {
                let after = after.chars().count();
                Some(text.flat(room.checked_sub(after)?)? + after)
            }
            Self::Parts(parts) => {
                let mut width = 2;
                for (index, (label, text)) in parts.iter().enumerate() {
                    width += label.chars().count() + if index > 0 { 2 } else { 0 };
                    width += text.flat(room.checked_sub(width)?)?;
                }
                Some(width).filter(|&width| width <= room)
            }
        }
    }

    /// Writes it where `used` characters of the line are taken, those that follow at `indent`.
    fn write(&self, into: &mut String, indent: usize, used: usize, width: usize) {
        let parts = match self {
            Self::Plain(text) => return into.push_str(text),
            Self::Followed(text, after) => {
                text.write(into, indent, used.saturating_add(after.chars().count()), width);
                return into.push_str(after);
            }
            Self::Parts(parts) => parts,
        };
        if self.flat(width.saturating_sub(used)).is_some() || parts.is_empty() {
            into.push('{');
            for (index, (label, text)) in parts.iter().enumerate() {
                into.push_str(if index > 0 { ", " } else { "" });
                into.push_str(label);
                text.write(into, indent, 0, usize::MAX);
            }
            return into.push('}');
        }
        let inner = indent + 2;
        let fills = parts.iter().all(|(label, text)| label.is_empty() && matches!(text, Self::Plain(_)));
        into.push('{');
        let mut column = usize::MAX;
        for (index, (label, text)) in parts.iter().enumerate() {
            let comma = usize::from(index + 1 < parts.len());
            let wide = text.flat(width).unwrap_or(width) + comma;
            if fills && column.saturating_add(1 + wide) <= width {
                into.push(' ');
                column += 1;
            } else {
                into.push('\n');
                into.extend(std::iter::repeat_n(' ', inner));
                column = inner;
            }
            into.push_str(label);
            text.write(into, inner, column + label.chars().count() + comma, width);
            column += wide;
            into.push_str(if comma > 0 { "," } else { "" });
        }
        into.push('\n');
        into.extend(std::iter::repeat_n(' ', indent));
        into.push('}');
    }
}

#[cfg(test)]
mod tests {
    use super::Text;

    fn numbers(count: u32) -> Text {
        Text::Parts((0..count).map(|n| (String::new(), Text::plain(n.to_string()))).collect())
    }

    #[test]
    fn what_fits_stays_on_one_line() {
        let text = Text::Parts(vec![("x = ".into(), Text::plain("1")), ("y = ".into(), numbers(3))]);
        assert_eq!(text.lines(21), "{\n  x = 1,\n  y = {0, 1, 2}\n}");
        assert_eq!(text.lines(14), "{\n  x = 1,\n  y = {\n    0, 1, 2\n  }\n}");
        assert_eq!(text.lines(22), "{x = 1, y = {0, 1, 2}}");
        assert_eq!(Text::Parts(Vec::new()).lines(0), "{}");
    }

    #[test]
    fn short_elements_fill_lines() {
        assert_eq!(numbers(10).lines(14), "{\n  0, 1, 2, 3,\n  4, 5, 6, 7,\n  8, 9\n}");
        assert_eq!(numbers(3).lines(0), "{\n  0,\n  1,\n  2\n}");
    }
}
