//! How long files are, and that each says what it is. Long files hide things; the figures are printed on every run, so
//! that the drift is seen before the bar is met.

use super::Breach;
use super::source::Source;

/// Lines.
const MEDIAN: usize = 120;
const NINE_IN_TEN: usize = 300;
const LONGEST: usize = 500;

pub(super) fn check(sources: &[Source]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for source in sources {
        if !source.text.starts_with("//!") {
            breaches.push(Breach::new(source, 1, "opens without `//!`: say what lives here and what may not"));
        }
        if source.lines() > LONGEST {
            breaches.push(Breach::new(source, LONGEST + 1, format!("{} lines, over {LONGEST}", source.lines())));
        }
    }
    let sorted = sorted(sources);
    for (share, bar) in [(50, MEDIAN), (90, NINE_IN_TEN)] {
        let (lines, source) = at(&sorted, share);
        if lines > bar {
            let what =
                format!("{share} in 100 files should have at most {bar} lines; the one at that place has {lines}");
            breaches.push(Breach::new(source, 1, what));
        }
    }
    breaches
}

pub(super) fn figures(sources: &[Source]) -> String {
    let sorted = sorted(sources);
    let (longest, source) = at(&sorted, 100);
    format!(
        "{} files, {} lines: median {} (at most {MEDIAN}), nine in ten at most {} ({NINE_IN_TEN}), longest {longest} \
         ({LONGEST}) {}",
        sorted.len(),
        sorted.iter().map(|(lines, _)| lines).sum::<usize>(),
        at(&sorted, 50).0,
        at(&sorted, 90).0,
        source.path,
    )
}

fn sorted(sources: &[Source]) -> Vec<(usize, &Source)> {
    let mut sorted: Vec<(usize, &Source)> = sources.iter().map(|source| (source.lines(), source)).collect();
    sorted.sort_by_key(|(lines, source)| (*lines, &source.path));
    sorted
}

/// The smallest file that is at least as long as `share` in 100 of all; there is at least one file.
fn at<'a>(sorted: &[(usize, &'a Source)], share: usize) -> (usize, &'a Source) {
    sorted[(sorted.len() * share).div_ceil(100) - 1]
}
