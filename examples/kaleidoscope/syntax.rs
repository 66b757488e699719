//! Text to trees: the language of the LLVM tutorial, all of it.
//!
//! Every value is a double. A definition or an expression ends where the next one begins, so the parser
//! decides when an input is complete: it has run out of tokens in the middle of something.

use std::collections::HashMap;

/// What a user types at once.
pub enum Item {
    Definition(Prototype, Expr),
    Extern(Prototype),
    Expression(Expr),
}

/// A function's name and parameters. Operators are functions called `unary!` and `binary|`.
pub struct Prototype {
    pub name: String,
    pub parameters: Vec<String>,
}

pub enum Expr {
    Number(f64),
    Variable(String),
    Assign(String, Box<Expr>),
    Binary(char, Box<Expr>, Box<Expr>),
    Call(String, Vec<Expr>),
    If { condition: Box<Expr>, then: Box<Expr>, otherwise: Box<Expr> },
    For { variable: String, start: Box<Expr>, end: Box<Expr>, step: Option<Box<Expr>>, body: Box<Expr> },
    Var { variables: Vec<(String, Option<Expr>)>, body: Box<Expr> },
}

/// Why there is no tree.
pub enum Trouble {
    /// More is to come.
    Incomplete,
    /// The line, counted from the first of the input, and what is wrong there.
    Wrong(usize, String),
}

/// The precedence of each binary operator; the user defines more.
pub type Operators = HashMap<char, u32>;

pub const OPERATORS: [(char, u32); 5] = [('=', 2), ('<', 10), ('+', 20), ('-', 20), ('*', 40)];

/// Takes everything in `text` apart. An operator may be used from its own definition on.
pub fn parse(text: &str, operators: &mut Operators) -> Result<Vec<Item>, Trouble> {
    let mut parser = Parser { tokens: tokens(text), at: 0, operators };
    let mut items = Vec::new();
    while parser.peek().is_some() {
        if parser.accept("def") {
            items.push(Item::Definition(parser.prototype()?, parser.expression()?));
        } else if parser.accept("extern") {
            items.push(Item::Extern(parser.prototype()?));
        } else if !parser.accept(";") {
            items.push(Item::Expression(parser.expression()?));
        }
    }
    Ok(items)
}

/// Words, numbers, and signs of one character each, with their lines.
fn tokens(text: &str) -> Vec<(String, usize)> {
    let mut tokens = Vec::new();
    for (line, text) in text.lines().enumerate() {
        let mut rest = text.split('#').next().unwrap_or_default().trim_start();
        while let Some(first) = rest.chars().next() {
            let length = |is: fn(char) -> bool| rest.find(|c| !is(c)).unwrap_or(rest.len());
            let (token, left) = rest.split_at(match first {
                c if is_letter(c) => length(|c| is_letter(c) || is_digit(c)),
                c if is_digit(c) => length(is_digit),
                other => other.len_utf8(),
            });
            tokens.push((token.to_owned(), line + 1));
            rest = left.trim_start();
        }
    }
    tokens
}

fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit() || c == '.'
}

struct Parser<'o> {
    tokens: Vec<(String, usize)>,
    at: usize,
    operators: &'o mut Operators,
}

const KEYWORDS: [&str; 10] = ["def", "extern", "if", "then", "else", "for", "in", "var", "unary", "binary"];

impl Parser<'_> {
    fn peek(&self) -> Option<&str> {
        self.tokens.get(self.at).map(|(token, _)| token.as_str())
    }

    fn next(&mut self) -> Result<String, Trouble> {
        let token = self.peek().map(str::to_owned).ok_or(Trouble::Incomplete)?;
        self.at += 1;
        Ok(token)
    }

    /// An error about the token that was taken last.
    fn wrong<T>(&self, what: &str) -> Result<T, Trouble> {
        let (token, line) = &self.tokens[self.at.saturating_sub(1)];
        Err(Trouble::Wrong(*line, format!("{what}, not {token}")))
    }

    /// Takes the next token if it is `wanted`.
    fn accept(&mut self, wanted: &str) -> bool {
        let is = self.peek() == Some(wanted);
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, wanted: &str) -> Result<(), Trouble> {
        if self.next()? == wanted { Ok(()) } else { self.wrong(&format!("{wanted} belongs here")) }
    }

    fn name(&mut self) -> Result<String, Trouble> {
        let name = self.next()?;
        let is = name.starts_with(is_letter) && !KEYWORDS.contains(&name.as_str());
        if is { Ok(name) } else { self.wrong("a name belongs here") }
    }

    /// The next token, if it is a number.
    fn number(&mut self) -> Result<Option<f64>, Trouble> {
        let is = self.peek().is_some_and(|token| token.starts_with(is_digit));
        is.then(|| self.next()?.parse().or_else(|_| self.wrong("a number belongs here"))).transpose()
    }

    /// `name(a b)`, `unary! (a)`, `binary| 5 (a b)`.
    fn prototype(&mut self) -> Result<Prototype, Trouble> {
        let operands = ["", "unary", "binary"].iter().position(|word| self.accept(word)).unwrap_or(0);
        let mut name = ["", "unary", "binary"][operands].to_owned();
        if operands == 0 {
            name = self.name()?;
        } else {
            let sign = self.next()?.chars().next().unwrap_or_default();
            if is_letter(sign) || is_digit(sign) || "();,=".contains(sign) {
                return self.wrong("a free sign belongs here");
            }
            name.push(sign);
            if operands == 2 {
                let precedence = self.number()?.unwrap_or(30.0);
                self.operators.insert(sign, precedence as u32);
            }
        }
        self.expect("(")?;
        let mut parameters = Vec::new();
        while !self.accept(")") {
            parameters.push(self.name()?);
            self.accept(",");
        }
        if operands > 0 && operands != parameters.len() {
            return self.wrong("the operator has another number of operands");
        }
        Ok(Prototype { name, parameters })
    }

    fn expression(&mut self) -> Result<Expr, Trouble> {
        let left = self.unary()?;
        self.binary(0, left)
    }

    fn boxed(&mut self) -> Result<Box<Expr>, Trouble> {
        self.expression().map(Box::new)
    }

    fn after(&mut self, word: &str) -> Result<Box<Expr>, Trouble> {
        self.expect(word).and_then(|()| self.boxed())
    }

    /// What follows `left`, as long as it binds at least as strongly as `least`.
    fn binary(&mut self, least: u32, mut left: Expr) -> Result<Expr, Trouble> {
        while let Some((sign, own)) = self.operator().filter(|(_, own)| *own >= least) {
            self.at += 1;
            let mut right = self.unary()?;
            // Assignments are taken from the right.
            let first = own + u32::from(sign != '=');
            if self.operator().is_some_and(|(_, next)| next >= first) {
                right = self.binary(first, right)?;
            }
            left = match (sign, left) {
                ('=', Expr::Variable(name)) => Expr::Assign(name, Box::new(right)),
                ('=', _) => return self.wrong("only a variable can be assigned to"),
                (sign, left) => Expr::Binary(sign, Box::new(left), Box::new(right)),
            };
        }
        Ok(left)
    }

    fn operator(&self) -> Option<(char, u32)> {
        let sign = self.peek()?.chars().next()?;
        self.operators.get(&sign).map(|precedence| (sign, *precedence))
    }

    fn unary(&mut self) -> Result<Expr, Trouble> {
        if let Some(number) = self.number()? {
            return Ok(Expr::Number(number));
        }
        let token = self.next()?;
        match token.as_str() {
            "(" => {
                let inside = self.expression()?;
                self.expect(")").map(|()| inside)
            }
            "if" => {
                let (condition, then) = (self.boxed()?, self.after("then")?);
                Ok(Expr::If { condition, then, otherwise: self.after("else")? })
            }
            "for" => {
                let (variable, start, end) = (self.name()?, self.after("=")?, self.after(",")?);
                let step = if self.accept(",") { Some(self.boxed()?) } else { None };
                Ok(Expr::For { variable, start, end, step, body: self.after("in")? })
            }
            "var" => {
                let mut variables = Vec::new();
                while variables.is_empty() || self.accept(",") {
                    let name = self.name()?;
                    variables.push((name, if self.accept("=") { Some(self.expression()?) } else { None }));
                }
                Ok(Expr::Var { variables, body: self.after("in")? })
            }
            word if KEYWORDS.contains(&word) || "),;=".contains(word) => {
                self.wrong("an expression belongs here")
            }
            name if name.starts_with(is_letter) => match self.accept("(") {
                true => Ok(Expr::Call(token, self.arguments()?)),
                false => Ok(Expr::Variable(token)),
            },
            sign => Ok(Expr::Call(format!("unary{sign}"), vec![self.unary()?])),
        }
    }

    fn arguments(&mut self) -> Result<Vec<Expr>, Trouble> {
        let mut arguments = Vec::new();
        while !self.accept(")") {
            if !arguments.is_empty() {
                self.expect(",")?;
            }
            arguments.push(self.expression()?);
        }
        Ok(arguments)
    }
}
