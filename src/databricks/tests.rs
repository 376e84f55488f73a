//! Every shape of reply that Databricks is known for, read; and, where a file of recorded replies is at hand, those.

mod calls;
mod catalog;
mod jobs;
mod replies;
mod shapes;
