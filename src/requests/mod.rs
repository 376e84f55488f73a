//! The direct work of one HTTP call: claim, send, wait, hand over. Knows no actix-web and no status code.

mod call;

pub use call::{Answer, AnswerKind, Call, Mode};

use bytes::Bytes;

use crate::failure::Failure;

/// Everything an HTTP function can ask for; cheap to clone.
#[derive(Clone, Debug)]
pub struct Requests {}

impl Requests {
    pub async fn submit_statement(&self, _call: &Call, _body: Bytes) -> Result<Answer, Failure> {
        unimplemented!()
    }
    pub async fn get_statement(&self, _call: &Call, _id: &str) -> Result<Answer, Failure> {
        unimplemented!()
    }
    pub async fn cancel_statement(&self, _call: &Call, _id: &str) -> Result<Answer, Failure> {
        unimplemented!()
    }
    /// `job` is an id or a unique name.
    pub async fn start_job_run(&self, _call: &Call, _job: &str, _body: Bytes) -> Result<Answer, Failure> {
        unimplemented!()
    }
    pub async fn get_job_run(&self, _call: &Call, _id: &str) -> Result<Answer, Failure> {
        unimplemented!()
    }
    pub async fn start_refresh(&self, _call: &Call, _w: &str, _d: &str, _body: Bytes) -> Result<Answer, Failure> {
        unimplemented!()
    }
    pub async fn get_refresh(&self, _call: &Call, _w: &str, _d: &str, _id: &str) -> Result<Answer, Failure> {
        unimplemented!()
    }
    pub async fn cancel_refresh(&self, _call: &Call, _w: &str, _d: &str, _id: &str) -> Result<Answer, Failure> {
        unimplemented!()
    }
    pub async fn push_rows(&self, _call: &Call, _w: &str, _d: &str, _t: &str, _body: Bytes) -> Result<Answer, Failure> {
        unimplemented!()
    }
    pub async fn list_operations(&self, _call: &Call) -> Result<Answer, Failure> {
        unimplemented!()
    }
    pub async fn get_operation(&self, _call: &Call, _name: &str) -> Result<Answer, Failure> {
        unimplemented!()
    }
    pub async fn run_operation(&self, _call: &Call, _name: &str, _body: Bytes) -> Result<Answer, Failure> {
        unimplemented!()
    }
    pub async fn get_run(&self, _call: &Call, _id: &str) -> Result<Answer, Failure> {
        unimplemented!()
    }
    pub async fn status(&self, _call: &Call, _token: &str) -> Result<Answer, Failure> {
        unimplemented!()
    }
    /// States of the neighbours, cached for 30 s; `Err` when one that is needed cannot be reached.
    pub async fn ready(&self, _call: &Call) -> Result<Answer, Failure> {
        unimplemented!()
    }
}
