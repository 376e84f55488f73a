//! As much DAX as shows that a query arrives and its rows come back: `EVALUATE` of a table, `VALUES('T')`,
//! `TOPN(n, 'T')` and `ROW("name", COUNTROWS('T'), …)`. For anything else a test gives the reply (`queries.rs`).

/// What one `EVALUATE` asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Evaluate {
    Rows {
        table: String,
        top: Option<usize>,
    },
    /// Names, and the tables whose rows are counted.
    Counts(Vec<(String, String)>),
}

/// The queries of a text, or what is wrong with it in the service's words.
pub(super) fn parse(text: &str) -> Result<Vec<Evaluate>, String> {
    let mut cursor = Cursor { text, at: 0 };
    let mut all = Vec::new();
    loop {
        cursor.word("EVALUATE")?;
        all.push(cursor.expression()?);
        if cursor.rest().is_empty() {
            return Ok(all);
        }
    }
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let trimmed = rest.trim_start();
        self.at += rest.len() - trimmed.len();
        trimmed
    }

    fn wrong<T>(&mut self) -> Result<T, String> {
        let token: String = self.rest().chars().take_while(|letter| !letter.is_whitespace()).collect();
        let before = &self.text[..self.at];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Err(format!("Query ({line}, {column}) The syntax for '{token}' is incorrect, or beyond this stand-in."))
    }

    fn has(&mut self, word: &str) -> bool {
        let rest = self.rest();
        let found = rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
        let follows = rest.get(word.len()..).and_then(|rest| rest.chars().next());
        let whole = !word.ends_with(char::is_alphanumeric) || !follows.is_some_and(char::is_alphanumeric);
        if found && whole {
            self.at += word.len();
        }
        found && whole
    }

    fn word(&mut self, word: &str) -> Result<(), String> {
        if self.has(word) { Ok(()) } else { self.wrong() }
    }

    fn expression(&mut self) -> Result<Evaluate, String> {
        if self.has("TOPN") {
            self.word("(")?;
            let digits: String = self.rest().chars().take_while(char::is_ascii_digit).collect();
            let Ok(top) = digits.parse() else { return self.wrong() };
            self.at += digits.len();
            self.word(",")?;
            let table = self.table()?;
            self.word(")")?;
            return Ok(Evaluate::Rows { table, top: Some(top) });
        }
        if self.has("VALUES") {
            return Ok(Evaluate::Rows { table: self.argument()?, top: None });
        }
        if !self.has("ROW") {
            return Ok(Evaluate::Rows { table: self.table()?, top: None });
        }
        self.word("(")?;
        let mut counts = Vec::new();
        loop {
            let name = self.quoted('"')?;
            self.word(",")?;
            self.word("COUNTROWS")?;
            counts.push((name, self.argument()?));
            if !self.has(",") {
                break;
            }
        }
        self.word(")")?;
        Ok(Evaluate::Counts(counts))
    }

    fn argument(&mut self) -> Result<String, String> {
        self.word("(")?;
        let table = self.table()?;
        self.word(")")?;
        Ok(table)
    }

    /// `'Daily Sales'` or `DailySales`.
    fn table(&mut self) -> Result<String, String> {
        if self.rest().starts_with('\'') {
            return self.quoted('\'');
        }
        let name: String =
            self.rest().chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
        if name.is_empty() {
            return self.wrong();
        }
        self.at += name.len();
        Ok(name)
    }

    /// The quote itself is doubled inside.
    fn quoted(&mut self, quote: char) -> Result<String, String> {
        let rest = self.rest();
        let Some(inner) = rest.strip_prefix(quote) else { return self.wrong() };
        let (mut name, mut letters) = (String::new(), inner.char_indices().peekable());
        while let Some((at, letter)) = letters.next() {
            if letter != quote {
                name.push(letter);
            } else if letters.next_if(|(_, next)| *next == quote).is_some() {
                name.push(quote);
            } else {
                self.at += 1 + at + 1;
                return Ok(name);
            }
        }
        self.wrong()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_counts_are_read_and_other_queries_are_told_where_they_are_wrong() {
        let rows = |table: &str, top| Evaluate::Rows { table: table.into(), top };
        assert_eq!(parse("EVALUATE 'Daily Sales'"), Ok(vec![rows("Daily Sales", None)]));
        assert_eq!(parse("evaluate\n  VALUES( T )"), Ok(vec![rows("T", None)]));
        assert_eq!(parse("EVALUATE TOPN(5, 'it''s')"), Ok(vec![rows("it's", Some(5))]));
        let counts = Evaluate::Counts(vec![("n".into(), "T".into()), ("m".into(), "U".into())]);
        assert_eq!(parse(r#"EVALUATE ROW("n", COUNTROWS('T'), "m", COUNTROWS(U))"#), Ok(vec![counts]));
        assert_eq!(parse("EVALUATE 'Ä'"), Ok(vec![rows("Ä", None)]));
        assert_eq!(parse("EVALUATE T EVALUATE U").unwrap().len(), 2);
        assert_eq!(parse("EVALUATE Rows").unwrap(), [rows("Rows", None)]);
        assert!(parse("EVALUATE\nSUMMARIZE(T)").unwrap_err().starts_with("Query (2, 10)"));
        assert!(parse("SELECT 1").unwrap_err().contains("(1, 1)"));
        for bad in ["", "EVALUATE", "EVALUATE 'T", "EVALUATE TOPN(x, T)"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
