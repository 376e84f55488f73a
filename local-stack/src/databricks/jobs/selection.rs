//! Which tasks of a job run: `only` of run-now with its plus signs, and what depends on what.

use std::collections::BTreeSet;

use super::definition::JobDefinition;

/// The keys that `only` names, in the job's order; the first name that is none when there is one. `+task` takes in what
/// comes before it, `task+` what comes after (SDK, run_now).
pub(super) fn only(job: &JobDefinition, only: &[String]) -> Result<Vec<String>, String> {
    if only.is_empty() {
        return Ok(job.tasks.iter().map(|task| task.key.clone()).collect());
    }
    let mut keys = BTreeSet::new();
    for wish in only {
        let key = wish.trim_start_matches('+').trim_end_matches('+');
        if !job.tasks.iter().any(|task| task.key == key) {
            return Err(key.to_owned());
        }
        keys.insert(key.to_owned());
        if wish.starts_with('+') {
            keys.extend(upstream(job, key));
        }
        if wish.ends_with('+') {
            keys.extend(downstream(job, key));
        }
    }
    Ok(in_order(job, &keys))
}

pub(super) fn in_order(job: &JobDefinition, keys: &BTreeSet<String>) -> Vec<String> {
    job.tasks.iter().map(|task| task.key.clone()).filter(|key| keys.contains(key)).collect()
}

/// Every task that has to be before this one.
fn upstream(job: &JobDefinition, key: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![key.to_owned()];
    while let Some(key) = open.pop() {
        let before = job.tasks.iter().filter(|task| task.key == key).flat_map(|task| &task.depends_on);
        open.extend(before.filter(|key| found.insert((*key).clone())).cloned().collect::<Vec<_>>());
    }
    found
}

/// Every task that comes after this one.
pub(super) fn downstream(job: &JobDefinition, key: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![key.to_owned()];
    while let Some(key) = open.pop() {
        let after = job.tasks.iter().filter(|task| task.depends_on.contains(&key)).map(|task| &task.key);
        open.extend(after.filter(|key| found.insert((*key).clone())).cloned().collect::<Vec<_>>());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::task_definition::TaskDefinition;
    use super::*;

    fn keys(wishes: &[&str]) -> Result<Vec<String>, String> {
        let task = |key: &str, after: &[&str]| TaskDefinition::python_logs(key, "").after(after);
        let job = JobDefinition::new(1, "line")
            .task(task("a", &[]))
            .task(task("b", &["a"]))
            .task(task("c", &["b"]))
            .task(task("d", &["c"]))
            .task(task("e", &[]));
        only(&job, &wishes.iter().map(|wish| (*wish).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn plus_signs_take_in_what_is_before_and_after() {
        assert_eq!(keys(&[]).expect("all"), ["a", "b", "c", "d", "e"]);
        assert_eq!(keys(&["c"]).expect("one"), ["c"]);
        assert_eq!(keys(&["+c"]).expect("before"), ["a", "b", "c"]);
        assert_eq!(keys(&["b+"]).expect("after"), ["b", "c", "d"]);
        assert_eq!(keys(&["e", "+b+"]).expect("both"), ["a", "b", "c", "d", "e"]);
        assert_eq!(keys(&["c", "none+"]), Err("none".into()));
    }
}
