//! A road whose callers bring Entra tokens, and a table whose rows and addresses are some callers' only. No assertions here.

use local_stack::entra::User;
use local_stack::stack::{ENTRA_CLIENT_ID, StackOptions};
use serde_json::{Value, json};

use crate::declared::Declared;
use crate::road::Reply;

/// Databricks, as Entra knows it.
pub(crate) const DATABRICKS: &str = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d";
/// How many customers are whose.
pub(crate) const BY_COUNTRY: &str = "SELECT country, count(*) AS customers, max(email) AS address FROM main.sales.customers GROUP BY country ORDER BY 1";
const STATEMENTS: &str = "/api/sql/statements";

/// Whoever sells in a country sees its customers and none of their addresses; the app sees all.
const POLICIES: [&str; 4] = [
    "CREATE FUNCTION main.sales.of_my_country(country STRING) RETURNS BOOLEAN RETURN \
        is_account_group_member('integration') OR (is_account_group_member('sales-de') AND country = 'DE') \
        OR (is_account_group_member('sales-fr') AND country = 'FR')",
    "CREATE FUNCTION main.sales.hidden(email STRING) RETURNS STRING RETURN \
        CASE WHEN is_account_group_member('integration') THEN email ELSE 'hidden' END",
    "ALTER TABLE main.sales.customers SET ROW FILTER main.sales.of_my_country ON (country)",
    "ALTER TABLE main.sales.customers ALTER COLUMN email SET MASK main.sales.hidden",
];

/// The audience that callers ask their tokens for.
pub(crate) fn audience() -> String {
    format!("api://{ENTRA_CLIENT_ID}")
}

pub(crate) struct Callers {
    pub(crate) road: Declared,
}

impl Callers {
    pub(crate) async fn start() -> Self {
        Self::with(&[], &[], |_| {}).await
    }

    pub(crate) async fn with(
        files: &[(&str, &str)],
        settings: &[(&str, &str)],
        change: impl FnOnce(&mut StackOptions),
    ) -> Self {
        let audiences = format!("{},{ENTRA_CLIENT_ID}", audience());
        let own = [
            ("CAUSEWAY_AUTH", "entra"),
            ("CAUSEWAY_CALLER_AUDIENCES", audiences.as_str()),
            ("CAUSEWAY_CALLER_ROLES", "Seller=sql,operations,runs,power-bi"),
        ];
        let settings: Vec<(&str, &str)> = own.iter().chain(settings).copied().collect();
        Self { road: Declared::with(files, &settings, change).await }
    }

    /// The same with Unity Catalog's rules on a table.
    pub(crate) async fn with_rules(files: &[(&str, &str)], settings: &[(&str, &str)]) -> Self {
        let callers = Self::with(files, settings, |_| {}).await;
        let token = callers.token(&local_stack::entra::users::CONTROLLER);
        for policy in POLICIES {
            callers.post(&token, STATEMENTS, &json!({"statement": policy})).await.expect(200);
        }
        callers
    }

    pub(crate) fn token(&self, user: &User) -> String {
        self.road.stack.entra.user_token(user, &audience(), &["Seller"])
    }

    pub(crate) async fn post(&self, token: &str, path: &str, body: &Value) -> Reply {
        self.send("POST", token, path, Some(body), None).await
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> Reply {
        self.send("GET", token, path, None, None).await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        token: &str,
        path: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> Reply {
        let bearer = format!("Bearer {token}");
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(key.map(|key| ("idempotency-key", key)));
        self.road.call(method, path, body.map(Value::to_string), &headers).await
    }

    /// A statement that runs as its caller.
    pub(crate) async fn ask(&self, token: &str, statement: &str, query: &str) -> Reply {
        let body = json!({"statement": statement, "runAs": "caller"});
        self.post(token, &format!("{STATEMENTS}{query}"), &body).await
    }

    /// Exchanges so far for one resource.
    pub(crate) fn exchanges(&self, resource: &str) -> usize {
        self.road.effects("entra", "exchange").iter().filter(|exchange| exchange["resource"] == resource).count()
    }

    /// What a `Location` or link of ours leads to, without its host.
    pub(crate) fn path_of(link: &str) -> String {
        let (_, rest) = link.split_once("/api/").expect("one of ours");
        format!("/api/{rest}")
    }
}
