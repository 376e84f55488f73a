//! Every shape of reply that Databricks is known for, read; and, where a file of recorded replies is at hand, those.

mod binary;
mod blocked;
mod calls;
mod catalog;
mod job_outcome;
mod job_repair;
mod job_runs;
mod job_start;
mod jobs;
mod links;
mod outputs;
mod replies;
mod shapes;
mod stored;
