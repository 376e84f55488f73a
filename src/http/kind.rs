//! Every kind of outbound request there is, and how it may be tried. Callers name a kind and decide nothing else.

use std::time::Duration;

use super::transport::MAX_REPLY_BYTES;

/// The largest body of a link that is held. Databricks cuts chunks at about 20 MB before compression (recorded: 21 MB);
/// others have seen up to 100 MB.
const MAX_LINK_BYTES: usize = 128 * 1024 * 1024;

/// The largest document that tells the keys of an issuer; Entra's has 15 KB.
const MAX_KEYS_BYTES: usize = 1024 * 1024;

/// The largest answer of an address that somebody else chose: what a run keeps of a step.
const MAX_STRANGER_BYTES: usize = 256 * 1024;

/// How a kind behaves when the answer is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// Asking; may be sent again after any failure in transit.
    Read,
    /// Acting, but the neighbour recognises a repetition (an idempotency token, a cancel, a delete).
    Repeatable,
    /// Acting; after an ambiguous failure it is not sent again. A 503 is retried only with `Retry-After`.
    Execute,
}

/// One kind of outbound request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestKind {
    /// `POST /api/2.0/sql/statements` of what is surely a read.
    StatementRead,
    /// `POST /api/2.0/sql/statements` of anything else.
    StatementWrite,
    StatementGet,
    StatementChunk,
    /// A presigned link to a chunk, in the workspace's storage account; the one kind without our token.
    ResultLink,
    StatementCancel,
    WarehouseGet,
    /// `GET /api/2.0/sql/history/queries`.
    QueryHistory,
    /// Who we are at Databricks.
    OwnIdentity,
    /// Unity Catalog's lists and tables.
    CatalogGet,
    /// `run-now`, always with an `idempotency_token`.
    JobRunNow,
    JobGet,
    JobRunGet,
    JobRunOutput,
    JobRunCancel,
    /// `runs/repair`, which takes no token: sent again it might begin twice.
    JobRunRepair,
    RefreshStart,
    RefreshGet,
    RefreshCancel,
    RowsPush,
    RowsDelete,
    /// Workspaces, datasets, reports, tables, parameters: whatever only looks.
    PowerBiGet,
    DatasetCreate,
    DatasetDelete,
    /// A table's new columns.
    TablePut,
    /// `executeQueries`.
    DaxQuery,
    /// Parameters, schedule, take-over: the same however often it is sent.
    DatasetUpdate,
    DataflowRefresh,
    /// What a caller describes: how often it is sent is the caller's word.
    RawRead,
    RawWrite,
    /// Makes a file and changes nothing.
    ExportStart,
    /// A file, whose body is not held.
    ExportFile,
    /// A push table's columns, and its sequence numbers.
    PushTableGet,
    /// Sent again after an ambiguous failure: receivers drop doubles by the `causeway-key` property.
    MessageSend,
    /// A lost answer leaves a message locked until its lock ends, and no more.
    MessageReceive,
    /// Completing or unlocking: the second time the lock is gone, which is told.
    MessageSettle,
    TokenRequest,
    /// Entra's OpenID configuration, and the keys that it signs with.
    SigningKeysGet,
    /// `token/create`: sent again it would make another token.
    TokenCreate,
    TokenList,
    /// Deleting what is gone is told, and is success.
    TokenDelete,
    /// The right to use tokens: the same however often it is given.
    TokenPermission,
    /// The end of work, told where its caller asked; told again by the run, which keeps the pauses.
    CallbackSend,
    /// What a maker declares as `http`: asks, may be sent twice, or may not.
    HttpStepRead,
    HttpStepRepeatable,
    HttpStepWrite,
    /// A look at whether a neighbour is there at all; one try.
    Probe,
}

/// How often and how long a kind may be tried.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    pub category: Category,
    /// Tries in all, the first included.
    pub tries: u32,
    /// Longest wait for one answer.
    pub per_try: Duration,
    /// Longest time over all tries, waits included; the caller's deadline may be sooner.
    pub in_all: Duration,
    /// The largest answer that is held in memory.
    pub reply_bytes: usize,
    /// Whether a 429 that names no time is tried again by our own pauses. Not where it may stand for a limit of the day.
    pub throttled_blindly: bool,
}

impl RequestKind {
    /// The row of the table.
    #[allow(clippy::match_same_arms)] // a row a kind reads as the table that it is
    pub const fn allowance(self) -> Allowance {
        use Category::{Execute, Read, Repeatable};
        match self {
            Self::StatementRead => row(Read, 4, 65, 110),
            Self::StatementWrite => row(Execute, 4, 65, 110),
            Self::StatementGet | Self::StatementChunk => row(Read, 6, 30, 110),
            Self::ResultLink => Allowance { reply_bytes: MAX_LINK_BYTES, ..row(Read, 4, 60, 110) },
            Self::StatementCancel => row(Repeatable, 4, 15, 60),
            Self::WarehouseGet => row(Read, 4, 15, 60),
            Self::QueryHistory | Self::OwnIdentity => row(Read, 3, 15, 30),
            Self::CatalogGet => row(Read, 4, 30, 60),
            Self::JobRunNow => row(Repeatable, 5, 30, 90),
            Self::JobGet | Self::JobRunGet | Self::JobRunOutput => row(Read, 5, 30, 90),
            Self::JobRunCancel => row(Repeatable, 4, 15, 60),
            Self::JobRunRepair => row(Execute, 4, 30, 90),
            Self::RefreshStart => Allowance { throttled_blindly: false, ..row(Execute, 4, 30, 90) },
            Self::RefreshGet => row(Read, 5, 30, 90),
            Self::RefreshCancel => row(Repeatable, 4, 15, 60),
            Self::RowsPush => row(Execute, 4, 60, 110),
            Self::RowsDelete => row(Repeatable, 4, 30, 90),
            Self::PowerBiGet => row(Read, 4, 30, 60),
            Self::DatasetCreate => row(Execute, 4, 60, 90),
            Self::DatasetDelete | Self::TablePut => row(Repeatable, 4, 30, 90),
            Self::DaxQuery => row(Read, 4, 100, 110),
            Self::DatasetUpdate => row(Repeatable, 4, 30, 90),
            Self::DataflowRefresh => row(Execute, 4, 30, 90),
            Self::RawRead => row(Read, 1, 110, 110),
            Self::RawWrite => row(Execute, 1, 110, 110),
            Self::ExportStart => row(Repeatable, 4, 30, 90),
            Self::ExportFile => row(Read, 4, 30, 90),
            Self::PushTableGet => row(Read, 4, 15, 30),
            Self::MessageSend => row(Repeatable, 5, 15, 60),
            Self::MessageReceive => row(Repeatable, 3, 30, 60),
            Self::MessageSettle => row(Repeatable, 4, 15, 60),
            Self::TokenRequest => row(Read, 4, 10, 30),
            Self::SigningKeysGet => Allowance { reply_bytes: MAX_KEYS_BYTES, ..row(Read, 3, 5, 15) },
            Self::TokenCreate => row(Execute, 3, 15, 30),
            Self::TokenList => row(Read, 4, 15, 30),
            Self::TokenDelete | Self::TokenPermission => row(Repeatable, 4, 15, 30),
            Self::CallbackSend => Allowance { reply_bytes: MAX_STRANGER_BYTES, ..row(Repeatable, 1, 20, 20) },
            Self::HttpStepRead => Allowance { reply_bytes: MAX_STRANGER_BYTES, ..row(Read, 3, 60, 90) },
            Self::HttpStepRepeatable => Allowance { reply_bytes: MAX_STRANGER_BYTES, ..row(Repeatable, 3, 60, 90) },
            Self::HttpStepWrite => Allowance { reply_bytes: MAX_STRANGER_BYTES, ..row(Execute, 3, 60, 90) },
            Self::Probe => row(Read, 1, 5, 5),
        }
    }
}

const fn row(category: Category, tries: u32, per_try: u64, in_all: u64) -> Allowance {
    Allowance {
        category,
        tries,
        per_try: Duration::from_secs(per_try),
        in_all: Duration::from_secs(in_all),
        reply_bytes: MAX_REPLY_BYTES,
        throttled_blindly: true,
    }
}
