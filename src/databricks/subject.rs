//! What a call was about. It decides what "not found" and "denied" mean.

use std::fmt;

use crate::failure::{Code, Failure};

/// What a call was about: it decides what "not found" means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    Workspace,
    /// A statement to be submitted, on this warehouse.
    Submission {
        warehouse: String,
    },
    Statement(String),
    /// Rows of this statement, which Databricks keeps for one hour.
    Rows(String),
    Warehouse(String),
    Catalog(String),
    /// With its catalog, a dot between.
    Schema(String),
    /// With its catalog and schema, dots between.
    Table(String),
    Job(String),
    JobRun(String),
    /// Personal access tokens of our own.
    Tokens,
}

impl Subject {
    /// The code for a subject that is not there.
    pub(super) fn missing(&self) -> Code {
        match self {
            Self::Workspace | Self::Tokens => Code::DatabricksRefused,
            Self::Submission { .. } | Self::Warehouse(_) => Code::WarehouseNotFound,
            Self::Statement(_) => Code::StatementNotFound,
            Self::Rows(_) => Code::ResultExpired,
            Self::Catalog(_) => Code::CatalogNotFound,
            Self::Schema(_) => Code::SchemaNotFound,
            Self::Table(_) => Code::TableNotFound,
            Self::Job(_) => Code::JobNotFound,
            Self::JobRun(_) => Code::JobRunNotFound,
        }
    }
}

impl Subject {
    /// An id of it as the wire wants it; what is no number cannot exist.
    pub(super) fn number(&self, id: &str) -> Result<u64, Failure> {
        id.parse().map_err(|_| Failure::new(self.missing(), format!("There is no {self}: ids are numbers.")))
    }

    /// The rights that it needs (Databricks SDK, catalog.py and sql.py).
    pub(super) fn rights(&self) -> &'static str {
        match self {
            Self::Submission { .. } | Self::Warehouse(_) => " Our identity needs CAN USE on the warehouse.",
            Self::Catalog(_) => " Our identity needs USE CATALOG on the catalog.",
            Self::Schema(_) => " Our identity needs USE CATALOG on the catalog and USE SCHEMA on the schema.",
            Self::Table(_) => {
                " Our identity needs USE CATALOG on the catalog, USE SCHEMA on the schema and SELECT on the table."
            }
            // (learn.microsoft.com/azure/databricks/security/auth/access-control, Job ACLs)
            Self::Job(_) => " Our identity needs CAN VIEW on the job to look, and CAN MANAGE RUN to start it.",
            Self::JobRun(_) => {
                " Our identity needs CAN VIEW on the job to look, and CAN MANAGE RUN to cancel or repair."
            }
            _ => "",
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workspace => f.write_str("the workspace"),
            Self::Submission { warehouse } => write!(f, "a statement on warehouse {warehouse}"),
            Self::Statement(id) | Self::Rows(id) => write!(f, "statement {id}"),
            Self::Warehouse(id) => write!(f, "warehouse {id}"),
            Self::Catalog(name) => write!(f, "catalog {name}"),
            Self::Schema(name) => write!(f, "schema {name}"),
            Self::Table(name) => write!(f, "table {name}"),
            Self::Job(id) => write!(f, "job {id}"),
            Self::JobRun(id) => write!(f, "job run {id}"),
            Self::Tokens => f.write_str("our personal access tokens"),
        }
    }
}
