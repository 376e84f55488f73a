//! What the demo prints: a numbered title for each part, lines that align under it, and a summary at the end.

use std::time::Instant;

/// Prints as things happen, and remembers how each part went.
#[derive(Debug)]
pub(super) struct Teller {
    parts: Vec<(String, f64)>,
    began: Instant,
    all: Instant,
}

impl Teller {
    pub(super) fn new() -> Self {
        Self { parts: Vec::new(), began: Instant::now(), all: Instant::now() }
    }

    /// Begins a part.
    pub(super) fn part(&mut self, title: &str) {
        self.close();
        println!("\n{}. {title}", self.parts.len() + 1);
        self.parts.push((title.to_owned(), 0.0));
        self.began = Instant::now();
    }

    /// A line of a part: a short word, and what there is to say.
    #[expect(clippy::unused_self, reason = "a part must have begun")]
    pub(super) fn line(&self, word: &str, text: impl AsRef<str>) {
        println!("   {word:<10} {}", text.as_ref());
    }

    /// The summary.
    pub(super) fn summary(&mut self) {
        self.close();
        println!("\nAll {} parts did what they should:", self.parts.len());
        for (title, seconds) in &self.parts {
            println!("   ok  {title:<62} {seconds:>5.1} s");
        }
        println!("   {:<66} {:>5.1} s", "in all", self.all.elapsed().as_secs_f64());
    }

    fn close(&mut self) {
        if let Some(last) = self.parts.last_mut() {
            last.1 = self.began.elapsed().as_secs_f64();
        }
    }
}
