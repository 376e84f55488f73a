//! What a call is about besides refreshes and rows: how a maker is told of it, and what a refusal of it means.

use std::fmt;

use super::error::{MY_WORKSPACE, Place};
use crate::failure::Code;

/// Something in Power BI, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    Workspaces,
    /// What a workspace holds, such as `datasets`.
    Held {
        workspace: String,
        what: &'static str,
    },
    Dataset(Place),
    /// What only the owner of a dataset may change.
    Owned(Place),
    /// The tables of a push dataset, or one of them.
    Table {
        place: Place,
        table: Option<String>,
    },
    /// A DAX query.
    Query(Place),
    Dataflow {
        workspace: String,
        dataflow: String,
    },
    Report {
        workspace: String,
        report: String,
    },
    /// A report on its way into a file.
    Export {
        workspace: String,
        report: String,
        export: String,
    },
}

impl Item {
    /// A workspace's id, or `me`.
    pub(super) fn workspace(&self) -> Option<&str> {
        match self {
            Self::Workspaces => None,
            Self::Held { workspace, .. }
            | Self::Dataflow { workspace, .. }
            | Self::Report { workspace, .. }
            | Self::Export { workspace, .. } => Some(workspace),
            Self::Dataset(place) | Self::Owned(place) | Self::Table { place, .. } | Self::Query(place) => {
                Some(&place.workspace)
            }
        }
    }

    /// The code for an item that is not there.
    pub(super) fn missing(&self) -> Code {
        match self {
            Self::Workspaces => Code::PowerBiRefused,
            Self::Held { .. } => Code::WorkspaceNotFound,
            Self::Dataset(_) | Self::Owned(_) | Self::Query(_) | Self::Table { table: None, .. } => {
                Code::DatasetNotFound
            }
            Self::Table { table: Some(_), .. } => Code::TableNotFound,
            Self::Dataflow { .. } => Code::DataflowNotFound,
            Self::Report { .. } => Code::ReportNotFound,
            Self::Export { .. } => Code::ExportNotFound,
        }
    }

    /// What a right that is missing means here; `None` where it is the workspace's.
    pub(super) fn denied(&self, code: Option<&str>) -> Option<&'static str> {
        match self {
            _ if code == Some("GroupNotAccessible") => None,
            Self::Owned(_) => Some(
                "Only the owner of a dataset may change this: take it over first (`POST …/take-over`), as Contributor of \
                 its workspace.",
            ),
            Self::Query(_) => Some(
                "Causeway's identity may not query this dataset: it needs Build permission, the tenant must allow the \
                 execution of queries, and Power BI lets no service principal query a model with row-level security or \
                 single sign-on.",
            ),
            _ => None,
        }
    }

    /// The code for a refusal of what was asked, where it says more than that it was refused.
    pub(super) fn refused(&self, status: u16) -> Option<Code> {
        match (self, status) {
            (Self::Query(_), 400) => Some(Code::QueryFailed),
            _ => None,
        }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workspaces => f.write_str("the workspaces"),
            Self::Held { workspace, what } => write!(f, "the {what} of {}", named(workspace)),
            Self::Dataset(place) | Self::Owned(place) => place.fmt(f),
            Self::Table { place, table: None } => write!(f, "the tables of {place}"),
            Self::Table { place, table: Some(table) } => write!(f, "table `{table}` of {place}"),
            Self::Dataflow { workspace, dataflow } => write!(f, "dataflow {dataflow} in {}", named(workspace)),
            Self::Report { workspace, report } => write!(f, "report {report} in {}", named(workspace)),
            Self::Export { workspace, report, .. } => {
                write!(f, "this export of report {report} in {}; it is kept for a day", named(workspace))
            }
            // Without the right to build on a dataset the service says that there is none (docs/power-bi.md).
            Self::Query(place) => write!(f, "{place}, or Causeway's identity lacks Build permission on it"),
        }
    }
}

fn named(workspace: &str) -> String {
    if workspace == MY_WORKSPACE { "My Workspace".to_owned() } else { format!("workspace {workspace}") }
}
