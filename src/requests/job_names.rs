//! The names that a call gives, against those that the job has.

use std::collections::BTreeMap;

use super::Requests;
use crate::databricks::Job;
use crate::failure::{Code, Failure};
use crate::http::Deadline;

impl Requests {
    /// Compares names with the job's definition. Worth its one call, which is made only when there is something to compare:
    /// nobody says what Databricks does with a name that the job lacks, and a run that goes with the default day instead of
    /// the misspelt one is found out late. Who may run a job may not always read it; then the names go unchecked.
    pub(super) async fn check_job_names(
        &self,
        job_id: &str,
        parameters: &BTreeMap<String, String>,
        only: &[String],
        deadline: Deadline,
    ) -> Result<(), Failure> {
        if parameters.is_empty() && only.is_empty() {
            return Ok(());
        }
        match self.0.neighbours.databricks.job(job_id, deadline).await.map_err(Failure::from) {
            Ok(job) => check_names(&job, parameters, only),
            Err(failure) if failure.code == Code::DatabricksAccessDenied => {
                tracing::warn!(job_id, error = failure.chain(), "names go unchecked: the job may not be read");
                Ok(())
            }
            Err(failure) => Err(failure),
        }
    }
}

/// Names that the job does not have, told with those that it has.
fn check_names(job: &Job, parameters: &BTreeMap<String, String>, only: &[String]) -> Result<(), Failure> {
    let known: Vec<&str> = job.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    if let Some(name) = parameters.keys().find(|name| !known.contains(&name.as_str())) {
        let detail = if known.is_empty() {
            format!(
                "Job {} has no parameters, so {name:?} cannot be set. Tasks of old may take `notebookParams`.",
                job.job_id
            )
        } else {
            format!("Job {} has no parameter {name:?}. It has: {}.", job.job_id, known.join(", "))
        };
        return Err(Failure::new(Code::ParametersInvalid, detail).at(format!("parameters.{name}")));
    }
    let tasks: Vec<&str> = job.tasks.iter().map(|task| task.task_key.as_str()).collect();
    // `+load`, `load+`: with what comes before it, with what comes after it.
    let unknown = |key: &&String| !tasks.contains(&key.trim_start_matches('+').trim_end_matches('+'));
    if let Some(key) = only.iter().find(unknown).filter(|_| !tasks.is_empty()) {
        let detail = format!("Job {} has no task {key:?}. It has: {}.", job.job_id, tasks.join(", "));
        return Err(Failure::new(Code::ParametersInvalid, detail).at("only"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::databricks::{JobParameter, JobTask};

    #[rstest]
    #[case::a_parameter(&["dya"], &[], Some("parameters.dya"), "It has: day, region")]
    #[case::a_task(&[], &["lod"], Some("only"), "It has: load, report")]
    #[case::known(&["day"], &["load", "+report", "load+", "+load+"], None, "")]
    fn names_that_the_job_does_not_have_are_told_with_those_it_has(
        #[case] parameters: &[&str],
        #[case] only: &[&str],
        #[case] place: Option<&str>,
        #[case] word: &str,
    ) {
        let parameter = |name: &str| JobParameter { name: name.to_owned(), default: String::new() };
        let task = |key: &str| JobTask { task_key: key.to_owned(), ..JobTask::default() };
        let job = Job {
            job_id: "5".to_owned(),
            parameters: vec![parameter("day"), parameter("region")],
            tasks: vec![task("load"), task("report")],
            ..Job::default()
        };
        let parameters = parameters.iter().map(|name| ((*name).to_owned(), "x".to_owned())).collect();
        let only: Vec<String> = only.iter().map(|key| (*key).to_owned()).collect();
        let failure = check_names(&job, &parameters, &only).err();
        assert_eq!(failure.as_ref().and_then(|failure| failure.place.as_deref()), place);
        assert!(failure.is_none_or(|failure| failure.detail.contains(word)));
    }

    #[test]
    fn a_job_without_parameters_takes_none() {
        let failure = check_names(&Job::default(), &BTreeMap::from([("a".into(), "1".into())]), &[]).unwrap_err();
        assert!(failure.detail.contains("no parameters"), "{}", failure.detail);
    }
}
