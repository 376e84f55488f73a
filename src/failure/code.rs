//! The stable codes that callers branch on. What each becomes and what to do about it stands in one table, in
//! `triggers/problem.rs`; here are only the names, so that every room can say them.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($variant:ident = $text:literal),+ $(,)?) => {
        /// A stable, documented error code (`docs/error-codes.md`).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Code {
            $(#[serde(rename = $text)] $variant,)+
        }

        impl Code {
            /// Every code there is, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The code as callers see it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }
    };
}

codes! {
    BodyMissing = "body-missing",
    BodyMalformed = "body-malformed",
    BodyInvalid = "body-invalid",
    BodyTooLarge = "body-too-large",
    BodyTimeout = "body-timeout",
    EncodingNotSupported = "encoding-not-supported",
    UrlTooLong = "url-too-long",
    HeadersTooLarge = "headers-too-large",
    QueryInvalid = "query-invalid",
    HeaderInvalid = "header-invalid",
    RouteNotFound = "route-not-found",
    MethodNotAllowed = "method-not-allowed",
    ParametersInvalid = "parameters-invalid",
    StatementFailed = "statement-failed",
    StatementCanceled = "statement-canceled",
    StatementNotFound = "statement-not-found",
    StatementTooLarge = "statement-too-large",
    StatementNotAllowed = "statement-not-allowed",
    QueueNotAllowed = "queue-not-allowed",
    WaitTimeout = "wait-timeout",
    ItemsFailed = "items-failed",
    NestedTooDeep = "nested-too-deep",
    WriteConflict = "write-conflict",
    ResultTooLarge = "result-too-large",
    ResultExpired = "result-expired",
    ResultIncomplete = "result-incomplete",
    StorageBlocked = "storage-blocked",
    CatalogNotFound = "catalog-not-found",
    SchemaNotFound = "schema-not-found",
    TableNotFound = "table-not-found",
    WarehouseNotFound = "warehouse-not-found",
    WarehouseUnavailable = "warehouse-unavailable",
    WarehouseMissing = "warehouse-missing",
    DatabricksAccessDenied = "databricks-access-denied",
    DatabricksRefused = "databricks-refused",
    JobNotFound = "job-not-found",
    JobAmbiguous = "job-ambiguous",
    JobRunNotFound = "job-run-not-found",
    JobRunActive = "job-run-active",
    JobFailed = "job-failed",
    JobCanceled = "job-canceled",
    WorkspaceNotFound = "workspace-not-found",
    DatasetNotFound = "dataset-not-found",
    RefreshNotFound = "refresh-not-found",
    RefreshFailed = "refresh-failed",
    RefreshRunning = "refresh-running",
    RefreshLimit = "refresh-limit",
    RefreshThrottled = "refresh-throttled",
    RefreshDropped = "refresh-dropped",
    RefreshEvicted = "refresh-evicted",
    PremiumRequired = "premium-required",
    NotCancellable = "not-cancellable",
    RowsInvalid = "rows-invalid",
    NotPushDataset = "not-a-push-dataset",
    QueryFailed = "query-failed",
    DataflowNotFound = "dataflow-not-found",
    ReportNotFound = "report-not-found",
    ExportNotFound = "export-not-found",
    ExportFailed = "export-failed",
    RawNotAllowed = "raw-not-allowed",
    PowerBiAccessDenied = "power-bi-access-denied",
    PowerBiRefused = "power-bi-refused",
    OperationNotFound = "operation-not-found",
    OperationInvalid = "operation-invalid",
    RunNotFound = "run-not-found",
    RunCanceled = "run-canceled",
    RunForgotten = "run-forgotten",
    RunActive = "run-active",
    RunNotRetryable = "run-not-retryable",
    RunSkipped = "run-skipped",
    ConcurrencyCircle = "concurrency-circle",
    StepUnresolved = "step-unresolved",
    StepNotInDoubt = "step-not-in-doubt",
    DefinitionChanged = "definition-changed",
    AssertionFailed = "assertion-failed",
    ExpressionFailed = "expression-failed",
    HttpFailed = "http-failed",
    HostNotAllowed = "host-not-allowed",
    StepTimeout = "step-timeout",
    OutputTooLarge = "output-too-large",
    IdempotencyKeyReused = "idempotency-key-reused",
    OutcomeUnknown = "outcome-unknown",
    StatusTokenInvalid = "status-token-invalid",
    StatusTokenExpired = "status-token-expired",
    MessageMalformed = "message-malformed",
    EventStripped = "event-stripped",
    MessageIdReused = "message-id-reused",
    ReplyNotAllowed = "reply-not-allowed",
    DeliveriesExhausted = "deliveries-exhausted",
    SecretNotFound = "secret-not-found",
    SecretUnavailable = "secret-unavailable",
    SecretNotValid = "secret-not-valid",
    KeyVaultUnavailable = "key-vault-unavailable",
    IdentityUnavailable = "identity-unavailable",
    SignInNeeded = "sign-in-needed",
    CallerIdentityMissing = "caller-identity-missing",
    CallerTokenRefused = "caller-token-refused",
    ConsentMissing = "consent-missing",
    ClaimsChallenge = "claims-challenge",
    TooLongForCallerIdentity = "too-long-for-caller-identity",
    TokenMissing = "token-missing",
    TokenMalformed = "token-malformed",
    TokenAlgorithm = "token-algorithm-not-allowed",
    TokenKeyUnknown = "token-key-unknown",
    TokenSignature = "token-signature-wrong",
    TokenIssuer = "token-issuer-wrong",
    TokenAudience = "token-audience-wrong",
    TokenExpired = "token-expired",
    TokenNotYetValid = "token-not-yet-valid",
    TokenKind = "token-kind-wrong",
    RoleMissing = "role-missing",
    SigningKeysUnavailable = "signing-keys-unavailable",
    EntraScopeInvalid = "entra-scope-invalid",
    TokensDisabled = "tokens-disabled",
    TokensNotAllowed = "tokens-not-allowed",
    TokenQuotaExceeded = "token-quota-exceeded",
    TokenLifetimeRefused = "token-lifetime-refused",
    TooManyCalls = "too-many-calls",
    UpstreamThrottled = "upstream-throttled",
    UpstreamUnavailable = "upstream-unavailable",
    UpstreamTimeout = "upstream-timeout",
    UpstreamReplyInvalid = "upstream-reply-invalid",
    LedgerUnavailable = "ledger-unavailable",
    DeadlineExceeded = "deadline-exceeded",
    Misconfigured = "misconfigured",
    Internal = "internal",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
