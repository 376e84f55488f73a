//! Every shape of reply that Databricks is known for, read; and, where a file of recorded replies is at hand, those.

mod binary;
mod blocked;
mod calls;
mod catalog;
mod jobs;
mod links;
mod replies;
mod shapes;
mod stored;
