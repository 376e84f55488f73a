//! Where invocations enter. The only room that knows actix-web and the Functions envelope.
//!
//! A handler decodes, calls one function of `requests` or `runs`, and encodes. Nothing here knows what work means.

mod body;
mod compression;
mod envelope;
mod event_grid;
mod function;
mod http;
mod invocation;
mod layers;
mod limits;
mod openapi;
mod problem;
mod route;
mod service_bus;
mod shell;
#[cfg(test)]
mod tests;
mod timer;
mod warm;

pub use function::{Answering, AuthLevel, Function, Handle, Hit, Route, Trigger, Verb};
pub use invocation::{Envelope, TimerFired, event_of};
pub use limits::Limits;
pub use openapi::document as openapi_document;
pub use problem::{body as problem_body, page as error_codes_page};
pub use warm::{Guarded, Warm, Work};

pub(crate) use compression::only_gzip;
pub(crate) use shell::{Shell, enter};
pub(crate) use warm::WarmUp;

use AuthLevel::{Anonymous, Function as Key};
use function::{
    act, ask, delete, event, get, get_alone, http as area, make, message, put, start, start_streamed, subscription,
    timer,
};
use http::{catalog, connector, datasets, exports, health, jobs, operations, power_bi, raw, runs, sql, status, upkeep};

/// Every function: its name, its trigger, its handler. The test `table` holds it equal to `function-definitions/`.
pub static FUNCTIONS: &[Function<Work>] = &[
    // Direct work. One function an area, so that each area has its own key and scales by itself.
    area(
        "sql",
        Key,
        &[
            start("/api/sql/statements", |hit| Box::pin(sql::submit_statement(hit))),
            get("/api/sql/statements/{id}", |hit| Box::pin(sql::get_statement(hit))),
            get("/api/sql/statements/{id}/rows", |hit| Box::pin(sql::get_rows(hit))),
            act("/api/sql/statements/{id}/cancel", |hit| Box::pin(sql::cancel_statement(hit))),
            get("/api/sql/warehouses", |hit| Box::pin(catalog::list_warehouses(hit))),
            get("/api/sql/catalogs", |hit| Box::pin(catalog::list_catalogs(hit))),
            get("/api/sql/catalogs/{c}/schemas", |hit| Box::pin(catalog::list_schemas(hit))),
            get("/api/sql/catalogs/{c}/schemas/{s}/tables", |hit| Box::pin(catalog::list_tables(hit))),
            get("/api/sql/catalogs/{c}/schemas/{s}/tables/{t}", |hit| Box::pin(catalog::get_table(hit))),
            start_streamed("/api/sql/catalogs/{c}/schemas/{s}/tables/{t}/rows", |hit, body| {
                Box::pin(sql::write_rows(hit, body))
            }),
        ],
    ),
    area(
        "jobs",
        Key,
        &[
            // Before `{job}/runs`: a job cannot be named by the word `runs`.
            get("/api/jobs/runs/{id}", |hit| Box::pin(jobs::get_job_run(hit))),
            get("/api/jobs/runs/{id}/output", |hit| Box::pin(jobs::get_job_run_output(hit))),
            act("/api/jobs/runs/{id}/cancel", |hit| Box::pin(jobs::cancel_job_run(hit))),
            start("/api/jobs/runs/{id}/repair", |hit| Box::pin(jobs::repair_job_run(hit))),
            get("/api/jobs", |hit| Box::pin(jobs::list_jobs(hit))),
            get("/api/jobs/{job}", |hit| Box::pin(jobs::get_job(hit))),
            get("/api/jobs/{job}/runs", |hit| Box::pin(jobs::list_job_runs(hit))),
            start("/api/jobs/{job}/runs", |hit| Box::pin(jobs::start_job_run(hit))),
        ],
    ),
    area(
        "power-bi",
        Key,
        &[
            start("/api/power-bi/workspaces/{w}/datasets/{d}/refreshes", |hit| Box::pin(power_bi::start_refresh(hit))),
            get("/api/power-bi/workspaces/{w}/datasets/{d}/refreshes", |hit| Box::pin(power_bi::list_refreshes(hit))),
            get("/api/power-bi/workspaces/{w}/datasets/{d}/refreshes/{id}", |hit| Box::pin(power_bi::get_refresh(hit))),
            delete("/api/power-bi/workspaces/{w}/datasets/{d}/refreshes/{id}", |hit| {
                Box::pin(power_bi::cancel_refresh(hit))
            }),
            start_streamed("/api/power-bi/workspaces/{w}/datasets/{d}/tables/{t}/rows", |hit, body| {
                Box::pin(power_bi::push_rows(hit, body))
            }),
            get("/api/power-bi/workspaces", |hit| Box::pin(datasets::list_workspaces(hit))),
            get("/api/power-bi/workspaces/{w}/datasets", |hit| Box::pin(datasets::list_datasets(hit))),
            get("/api/power-bi/workspaces/{w}/reports", |hit| Box::pin(datasets::list_reports(hit))),
            get("/api/power-bi/workspaces/{w}/dataflows", |hit| Box::pin(datasets::list_dataflows(hit))),
            make("/api/power-bi/workspaces/{w}/datasets", |hit| Box::pin(datasets::create_dataset(hit))),
            get("/api/power-bi/workspaces/{w}/datasets/{d}", |hit| Box::pin(datasets::get_dataset(hit))),
            delete("/api/power-bi/workspaces/{w}/datasets/{d}", |hit| Box::pin(datasets::delete_dataset(hit))),
            ask("/api/power-bi/workspaces/{w}/datasets/{d}/query", |hit| Box::pin(datasets::query_dataset(hit))),
            get("/api/power-bi/workspaces/{w}/datasets/{d}/tables", |hit| Box::pin(datasets::list_tables(hit))),
            put("/api/power-bi/workspaces/{w}/datasets/{d}/tables/{t}", |hit| Box::pin(datasets::put_table(hit))),
            delete("/api/power-bi/workspaces/{w}/datasets/{d}/tables/{t}/rows", |hit| {
                Box::pin(datasets::clear_rows(hit))
            }),
            get("/api/power-bi/workspaces/{w}/datasets/{d}/parameters", |hit| Box::pin(upkeep::list_parameters(hit))),
            put("/api/power-bi/workspaces/{w}/datasets/{d}/parameters", |hit| Box::pin(upkeep::put_parameters(hit))),
            act("/api/power-bi/workspaces/{w}/datasets/{d}/take-over", |hit| Box::pin(upkeep::take_over(hit))),
            get("/api/power-bi/workspaces/{w}/datasets/{d}/refresh-schedule", |hit| {
                Box::pin(upkeep::get_schedule(hit))
            }),
            put("/api/power-bi/workspaces/{w}/datasets/{d}/refresh-schedule", |hit| {
                Box::pin(upkeep::put_schedule(hit))
            }),
            make("/api/power-bi/workspaces/{w}/dataflows/{f}/refreshes", |hit| Box::pin(upkeep::refresh_dataflow(hit))),
            get("/api/power-bi/workspaces/{w}/dataflows/{f}/refreshes", |hit| {
                Box::pin(upkeep::list_dataflow_refreshes(hit))
            }),
            start("/api/power-bi/workspaces/{w}/reports/{r}/exports", |hit| Box::pin(exports::start_export(hit))),
            get("/api/power-bi/workspaces/{w}/reports/{r}/exports/{e}", |hit| Box::pin(exports::get_export(hit))),
            get("/api/power-bi/workspaces/{w}/reports/{r}/exports/{e}/file", |hit| Box::pin(exports::export_file(hit))),
        ],
    ),
    // By itself, so that its key is given to few.
    area("power-bi-raw", Key, &[make("/api/power-bi-raw", |hit| Box::pin(raw::raw_power_bi(hit)))]),
    // Declared operations and their runs.
    area(
        "operations",
        Key,
        &[
            get("/api/operations", |hit| Box::pin(operations::list_operations(hit))),
            get("/api/operations/{name}", |hit| Box::pin(operations::get_operation(hit))),
            start("/api/operations/{name}", |hit| Box::pin(operations::run_operation(hit))),
        ],
    ),
    area(
        "runs",
        Key,
        &[
            get("/api/runs", |hit| Box::pin(runs::list_runs(hit))),
            get("/api/runs/{id}", |hit| Box::pin(runs::get_run(hit))),
            act("/api/runs/{id}/cancel", |hit| Box::pin(runs::cancel_run(hit))),
            act("/api/runs/{id}/retry", |hit| Box::pin(runs::retry_run(hit))),
            make("/api/runs/{id}/resolve", |hit| Box::pin(runs::resolve_run(hit))),
        ],
    ),
    area("connector", Key, &[get("/api/connector/openapi.json", |hit| Box::pin(connector::openapi(hit)))]),
    // Without a key: the token is the key; and whether we are alive is no secret.
    area(
        "status",
        Anonymous,
        &[
            get("/api/status/{token}", |hit| Box::pin(status::status(hit))),
            delete("/api/status/{token}", |hit| Box::pin(status::unsubscribe(hit))),
        ],
    ),
    area(
        "health",
        Anonymous,
        &[get_alone("/api/health", health::alive), get("/api/health/ready", |hit| Box::pin(health::ready(hit)))],
    ),
    // Messages and the clock.
    message("request-queue", "%CAUSEWAY_REQUEST_QUEUE%", service_bus::request),
    message("work-queue", "%CAUSEWAY_WORK_QUEUE%", service_bus::work),
    message("dead-letters-requests", "%CAUSEWAY_REQUEST_QUEUE%/$deadletterqueue", service_bus::dead_request),
    message("dead-letters-work", "%CAUSEWAY_WORK_QUEUE%/$deadletterqueue", service_bus::dead_work),
    subscription(
        "request-topic",
        "%CAUSEWAY_REQUEST_TOPIC%",
        "%CAUSEWAY_REQUEST_SUBSCRIPTION%",
        service_bus::request_from_topic,
    ),
    subscription(
        "dead-letters-topic",
        "%CAUSEWAY_REQUEST_TOPIC%",
        "%CAUSEWAY_REQUEST_SUBSCRIPTION%/$deadletterqueue",
        service_bus::dead_from_topic,
    ),
    event("event-grid", event_grid::event),
    timer("tick", "0 * * * * *", timer::tick),
    // At once nothing, unless CAUSEWAY_PAT_ROTATION says otherwise.
    timer("rotate-pat", "0 13 * * * *", timer::rotate_pat),
];
