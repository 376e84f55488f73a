//! One Rust file as the rules see it: its words and signs with their lines, without comments and literals. As much of
//! Rust's lexer as that takes; knows no rule.

/// A file and its tokens.
#[derive(Debug)]
pub(super) struct Source {
    /// Relative to the workspace's root, with `/`.
    pub(super) path: String,
    pub(super) text: String,
    pub(super) tokens: Vec<Token>,
}

/// A word, `::`, or a single sign.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) text: String,
    /// From 1.
    pub(super) line: usize,
}

impl Source {
    pub(super) fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let tokens = tokens(&text);
        Self { path: path.into(), text, tokens }
    }

    pub(super) fn lines(&self) -> usize {
        self.text.lines().count()
    }

    /// Whether the whole file is test code, by its place.
    pub(super) fn is_test(&self) -> bool {
        self.path.split('/').any(|part| part == "tests" || part == "tests.rs")
    }

    /// The room of the handler that the file belongs to: `src/<room>.rs` or `src/<room>/…`; none for lib and main.
    pub(super) fn room(&self) -> Option<&str> {
        let part = self.path.strip_prefix("src/")?.split('/').next()?;
        let room = part.strip_suffix(".rs").unwrap_or(part);
        (room != "lib" && room != "main").then_some(room)
    }

    /// Where these tokens stand in a row.
    pub(super) fn occurrences<'a>(&'a self, pattern: &'a [&str]) -> impl Iterator<Item = (usize, usize)> + 'a {
        let matches = move |window: &[Token]| window.iter().zip(pattern).all(|(token, text)| token.text == *text);
        self.tokens
            .windows(pattern.len())
            .enumerate()
            .filter(move |(_, window)| matches(window))
            .map(|(index, window)| (index + window.len(), window[0].line))
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let characters: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while let Some(&first) = characters.get(at) {
        let rest = &characters[at..];
        let length = if let Some(length) = skipped(rest) {
            length
        } else if is_word(first) {
            let length = rest.iter().take_while(|character| is_word(**character)).count();
            tokens.push(Token { text: rest[..length].iter().collect(), line });
            length
        } else {
            let length = if rest.starts_with(&[':', ':']) { 2 } else { 1 };
            if !first.is_whitespace() {
                tokens.push(Token { text: rest[..length].iter().collect(), line });
            }
            length
        };
        line += rest[..length].iter().filter(|character| **character == '\n').count();
        at += length;
    }
    tokens
}

/// How many characters a comment, a literal or a lifetime takes, where one begins.
fn skipped(rest: &[char]) -> Option<usize> {
    match rest {
        ['/', '/', ..] => Some(rest.iter().position(|character| *character == '\n').unwrap_or(rest.len())),
        ['/', '*', ..] => Some(block_comment(rest)),
        ['"', ..] => Some(quoted(rest, '"')),
        ['b' | 'c', '"', ..] => Some(1 + quoted(&rest[1..], '"')),
        ['b', '\'', ..] => Some(1 + quoted(&rest[1..], '\'')),
        ['\'', '\\', ..] | ['\'', _, '\'', ..] => Some(quoted(rest, '\'')),
        ['\'', ..] => Some(1 + rest[1..].iter().take_while(|character| is_word(**character)).count()),
        ['r', '"' | '#', ..] => raw(&rest[1..]).map(|length| 1 + length),
        ['b' | 'c', 'r', '"' | '#', ..] => raw(&rest[2..]).map(|length| 2 + length),
        _ => None,
    }
}

fn is_word(character: char) -> bool {
    character == '_' || character.is_alphanumeric()
}

/// Block comments nest.
fn block_comment(rest: &[char]) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < rest.len() {
        let step = match &rest[at..] {
            ['/', '*', ..] => (2, 1),
            ['*', '/', ..] => (2, -1),
            _ => (1, 0),
        };
        at += step.0;
        depth += step.1;
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while let Some(character) = rest.get(at) {
        at += if *character == '\\' { 2 } else { 1 };
        if *character == quote {
            break;
        }
    }
    at.min(rest.len())
}

/// `#…"…"#…` with as many `#` behind as before; none for a raw identifier.
fn raw(rest: &[char]) -> Option<usize> {
    let marks = rest.iter().take_while(|character| **character == '#').count();
    if rest.get(marks) != Some(&'"') {
        return None;
    }
    let closes = |at: &usize| {
        rest[*at] == '"' && rest[at + 1..].iter().take(marks).filter(|character| **character == '#').count() == marks
    };
    Some((marks + 1..rest.len()).find(closes).map_or(rest.len(), |at| at + 1 + marks))
}
