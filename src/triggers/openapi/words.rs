//! What the document says of each route beside what the table of functions says already: its name, a line, its bodies.

use crate::triggers::Verb;

/// Of one route.
pub(super) struct Words {
    /// `operationId`: what connectors and generated clients call it.
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    /// A schema of `schemas.json`; none where no body is read.
    pub(super) body: Option<&'static str>,
    /// The schema of the 200.
    pub(super) answer: &'static str,
}

const fn says(id: &'static str, summary: &'static str, answer: &'static str) -> Words {
    Words { id, summary, body: None, answer }
}

const fn takes(id: &'static str, summary: &'static str, body: &'static str, answer: &'static str) -> Words {
    Words { id, summary, body: Some(body), answer }
}

/// `None` for a route that is not described, which a test excludes.
#[rustfmt::skip]
pub(super) fn of(verb: Verb, route: &str) -> Option<Words> {
    let below = route.strip_prefix("/api/power-bi/workspaces").unwrap_or(route);
    let words = match (verb.method(), below) {
        ("POST", "/api/sql/statements") => takes("RunStatement", "Run SQL", "StatementBody", "Object"),
        ("GET", "/api/sql/statements/{id}") => says("GetStatement", "State and first rows of a statement", "Object"),
        ("GET", "/api/sql/statements/{id}/rows") => says("GetRows", "All rows of a statement", "Anything"),
        ("POST", "/api/sql/statements/{id}/cancel") => says("CancelStatement", "Cancel a statement", "Object"),
        ("GET", "/api/sql/warehouses") => says("ListWarehouses", "Warehouses", "List"),
        ("GET", "/api/sql/catalogs") => says("ListCatalogs", "Catalogs", "List"),
        ("GET", "/api/sql/catalogs/{c}/schemas") => says("ListSchemas", "Schemas of a catalog", "List"),
        ("GET", "/api/sql/catalogs/{c}/schemas/{s}/tables") => says("ListTables", "Tables of a schema", "List"),
        ("GET", "/api/sql/catalogs/{c}/schemas/{s}/tables/{t}") => says("GetTable", "Columns and keys of a table", "Object"),
        ("POST", "/api/sql/catalogs/{c}/schemas/{s}/tables/{t}/rows") => takes("WriteRows", "Write rows into a table", "TableRowsBody", "Object"),
        ("GET", "/api/jobs/runs/{id}") => says("GetJobRun", "State and tasks of a job run", "Object"),
        ("GET", "/api/jobs/runs/{id}/output") => says("GetJobRunOutput", "What a job run's tasks gave", "Object"),
        ("POST", "/api/jobs/runs/{id}/cancel") => says("CancelJobRun", "Cancel a job run", "Object"),
        ("POST", "/api/jobs/runs/{id}/repair") => takes("RepairJobRun", "Run failed tasks again", "RepairBody", "Object"),
        ("GET", "/api/jobs") => says("ListJobs", "Jobs", "List"),
        ("GET", "/api/jobs/{job}") => says("GetJob", "What a job is and takes", "Object"),
        ("GET", "/api/jobs/{job}/runs") => says("ListJobRuns", "Runs of a job", "List"),
        ("POST", "/api/jobs/{job}/runs") => takes("RunJob", "Run a job", "JobRunBody", "Object"),
        ("POST", "/{w}/datasets/{d}/refreshes") => takes("RefreshDataset", "Refresh a semantic model", "RefreshBody", "Object"),
        ("GET", "/{w}/datasets/{d}/refreshes") => says("ListRefreshes", "History of refreshes", "List"),
        ("GET", "/{w}/datasets/{d}/refreshes/{id}") => says("GetRefresh", "State of a refresh", "Object"),
        ("DELETE", "/{w}/datasets/{d}/refreshes/{id}") => says("CancelRefresh", "Cancel a refresh", "Object"),
        ("POST", "/{w}/datasets/{d}/tables/{t}/rows") => takes("PushRows", "Push rows into a dataset", "PushRowsBody", "Object"),
        ("GET", "") => says("ListWorkspaces", "Workspaces", "List"),
        ("GET", "/{w}/datasets") => says("ListDatasets", "Datasets of a workspace", "List"),
        ("GET", "/{w}/reports") => says("ListReports", "Reports of a workspace", "List"),
        ("GET", "/{w}/dataflows") => says("ListDataflows", "Dataflows of a workspace", "List"),
        ("POST", "/{w}/datasets") => takes("CreateDataset", "Make a push dataset", "DatasetBody", "Object"),
        ("GET", "/{w}/datasets/{d}") => says("GetDataset", "A dataset", "Object"),
        ("DELETE", "/{w}/datasets/{d}") => says("DeleteDataset", "Delete a dataset", "Object"),
        ("POST", "/{w}/datasets/{d}/query") => takes("QueryDataset", "Run a DAX query", "QueryBody", "Object"),
        ("GET", "/{w}/datasets/{d}/tables") => says("ListDatasetTables", "Tables of a push dataset", "List"),
        ("PUT", "/{w}/datasets/{d}/tables/{t}") => takes("PutTable", "Change a push table's columns", "TableBody", "Object"),
        ("DELETE", "/{w}/datasets/{d}/tables/{t}/rows") => says("ClearRows", "Delete a push table's rows", "Object"),
        ("GET", "/{w}/datasets/{d}/parameters") => says("ListParameters", "Parameters of a dataset", "List"),
        ("PUT", "/{w}/datasets/{d}/parameters") => takes("PutParameters", "Change a dataset's parameters", "ModelParametersBody", "Object"),
        ("POST", "/{w}/datasets/{d}/take-over") => says("TakeOverDataset", "Become a dataset's owner", "Object"),
        ("GET", "/{w}/datasets/{d}/refresh-schedule") => says("GetRefreshSchedule", "A dataset's refresh schedule", "Object"),
        ("PUT", "/{w}/datasets/{d}/refresh-schedule") => takes("PutRefreshSchedule", "Change a dataset's refresh schedule", "RefreshScheduleBody", "Object"),
        ("POST", "/{w}/dataflows/{f}/refreshes") => takes("RefreshDataflow", "Refresh a dataflow", "DataflowRefreshBody", "Object"),
        ("GET", "/{w}/dataflows/{f}/refreshes") => says("ListDataflowRefreshes", "Refreshes of a dataflow", "List"),
        ("POST", "/{w}/reports/{r}/exports") => takes("ExportReport", "Export a report to a file", "ExportBody", "Object"),
        ("GET", "/{w}/reports/{r}/exports/{e}") => says("GetExport", "State of an export", "Object"),
        ("GET", "/{w}/reports/{r}/exports/{e}/file") => says("GetExportFile", "The file of an export", "Anything"),
        ("POST", "/api/power-bi-raw") => takes("RawPowerBi", "Any call of Power BI", "RawBody", "Object"),
        ("GET", "/api/operations") => says("ListOperations", "Declared operations", "List"),
        ("GET", "/api/operations/{name}") => says("GetOperation", "An operation with its schemas", "Object"),
        ("POST", "/api/operations/{name}") => takes("RunOperation", "Run an operation", "OperationBody", "Anything"),
        ("GET", "/api/runs") => says("ListRuns", "Runs of operations", "List"),
        ("GET", "/api/runs/{id}") => says("GetRun", "A run with its steps", "Object"),
        ("POST", "/api/runs/{id}/cancel") => says("CancelRun", "Cancel a run", "Object"),
        ("POST", "/api/runs/{id}/retry") => says("RetryRun", "Go on from the failed step", "Anything"),
        ("POST", "/api/runs/{id}/resolve") => takes("ResolveRun", "Say what became of a step in doubt", "ResolveBody", "Object"),
        ("GET", "/api/status/{token}") => says("GetStatus", "What became of work that was accepted", "Anything"),
        ("DELETE", "/api/status/{token}") => says("Unsubscribe", "End a subscription", "Object"),
        ("GET", "/api/health") => says("GetHealth", "Whether the process is alive", "Object"),
        ("GET", "/api/health/ready") => says("GetReady", "Whether the neighbours can be reached", "Object"),
        ("GET", "/api/connector/openapi.json") => says("GetOpenApi", "This document", "Object"),
        _ => return None,
    };
    Some(words)
}

/// The schema of a parameter in the query, and what it says.
pub(super) fn of_query(route: &str, name: &str) -> (serde_json::Value, &'static str) {
    use serde_json::json;
    let whole = |least: u64, most: u64| json!({"type": "integer", "minimum": least, "maximum": most});
    let text = || json!({"type": "string"});
    match name {
        "waitSeconds" => (whole(0, 105), "How long to wait for the end, in seconds"),
        "mode" => (json!({"enum": ["wait", "start"], "default": "wait"}), "start answers 201 at once"),
        "format" => (json!({"enum": ["json", "ndjson", "csv", "arrow"]}), "The whole result, in this format"),
        "shape" => (json!({"enum": ["objects", "arrays"], "default": "objects"}), "How a row is written"),
        "decimals" => (json!({"enum": ["auto", "number", "string"], "default": "auto"}), "How DECIMAL is written"),
        "bigints" => (json!({"enum": ["number", "string"], "default": "number"}), "How BIGINT is written"),
        "pageSize" => (whole(1, 10_000), "Rows of a page; with it the answer has nextLink"),
        "write" => {
            (json!({"enum": ["insert", "upsert", "delete"]}), "What to do with the rows, when the body is rows alone")
        }
        "keys" => (text(), "Columns that tell rows apart, with commas between"),
        "warehouseId" => (text(), "The warehouse that runs it"),
        "operation" => (text(), "Runs of this operation"),
        "state" if route == "/api/runs" => {
            (json!({"enum": ["running", "waiting", "succeeded", "failed", "cancelled"]}), "Runs in this state")
        }
        "state" => (json!({"enum": ["active", "completed"]}), "Runs in this state"),
        "from" => (text(), "At or after this time or date"),
        "to" => (text(), "Before this time or date"),
        "top" if route.starts_with("/api/sql/") => (whole(1, 10_000), "Entries of a page"),
        "top" if route.starts_with("/api/power-bi/") && !route.ends_with("/refreshes") => {
            (whole(1, 5_000), "Entries of a page")
        }
        "top" => (whole(1, 1_000), "Entries of a page"),
        "limit" if route == "/api/jobs" => (whole(1, 1_000), "Entries of a page"),
        "limit" => (whole(1, 240), "Entries of a page"),
        "skip" => (whole(0, 1_000_000), "Entries to pass over"),
        "filter" => (json!({"type": "string", "maxLength": 1_000}), "Such as: contains(name,'sales')"),
        "name" => (text(), "Jobs with this name"),
        "definition" => (json!({"enum": ["pinned", "current"], "default": "pinned"}), "Which definition to go on with"),
        _ => (text(), "See the documentation"),
    }
}
