//! A company whose people call with Entra tokens: the app as `xtask package --auth entra` lays it out, and its callers. No
//! assertions here.

use std::fs;
use std::path::Path;

use local_stack::entra::users::{CONTROLLER, SALES_FRANCE, SALES_GERMANY};
use local_stack::entra::{Tokens, User};
use serde_json::Value;
use tempfile::TempDir;

use crate::operations::declare;
use crate::road::{Reply, Road, root};

/// What the application's tokens are for, by its ID URI and by its client id.
pub(crate) const API: &str = "api://causeway";
pub(crate) const API_ID: &str = "3b8e5f71-c2a4-4d96-8e07-1f6a9b4c2d11";

/// Who may do what: the sellers one operation and their own runs, the controller everything.
const ROLES: &str = "Admin=*; Analyst=sql; Seller=operations/tell,runs; Reader=runs";

/// An operation that is over at once, and one that nobody but an admin may call.
const TELL: &str = "summary: Tells a number
parameters:
  number: { type: integer, required: true }
steps:
  - id: check
    assert: { that: parameters.number > 0, message: \"{{ parameters.number }} is too small\" }
output: { number: \"{{ parameters.number }}\" }
";

/// The road, its people, and the folders that it needs.
pub(crate) struct Door {
    pub(crate) road: Road,
    base: String,
    _folders: [TempDir; 2],
}

pub(crate) const GERMANY: User = SALES_GERMANY;
pub(crate) const FRANCE: User = SALES_FRANCE;
pub(crate) const OFFICE: User = CONTROLLER;

impl Door {
    pub(crate) async fn open() -> Self {
        Self::with(&[]).await
    }

    /// With other settings; an empty value takes one out.
    pub(crate) async fn with(settings: &[(&str, &str)]) -> Self {
        let app = laid_out("anonymous");
        let operations = tempfile::tempdir().expect("a folder");
        let declared = declare(operations.path(), &[("tell.yaml", TELL), ("other.yaml", TELL)]);
        let road = Road::with(|options| {
            declared(options);
            app.path().clone_into(&mut options.app_root);
            let own = [
                ("CAUSEWAY_AUTH", "entra"),
                ("CAUSEWAY_CALLER_AUDIENCES", &*format!("{API},{API_ID}")),
                ("CAUSEWAY_CALLER_ROLES", ROLES),
            ];
            for (name, value) in own.iter().chain(settings) {
                options.extra_environment.insert((*name).into(), (*value).into());
            }
        })
        .await;
        let base = road.stack.endpoints().host.expect("a host");
        Self { road, base, _folders: [app, operations] }
    }

    pub(crate) fn tokens(&self) -> &Tokens {
        &self.road.stack.entra.tokens
    }

    pub(crate) fn token(&self, user: &User, roles: &[&str]) -> String {
        self.road.stack.entra.user_token(user, API, roles)
    }

    /// A call with no key at all, and with these headers.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<Value>, headers: &[(&str, &str)]) -> Reply {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) };
        self.road.call(method, &url, body.map(|body| body.to_string()), headers).await
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Reply {
        self.call("GET", path, None, &[("authorization", &format!("Bearer {token}"))]).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value, token: &str) -> Reply {
        self.call("POST", path, Some(body), &[("authorization", &format!("Bearer {token}"))]).await
    }
}

/// A package's root, in which the host asks `level` of every area.
pub(crate) fn laid_out(level: &str) -> TempDir {
    let app = tempfile::tempdir().expect("a folder");
    fs::copy(root().join("host.json"), app.path().join("host.json")).expect("host.json");
    for entry in fs::read_dir(root().join("function-definitions")).expect("definitions").flatten() {
        let text = fs::read_to_string(entry.path().join("function.json")).expect("a definition");
        // As xtask leaves it out of packages without a topic.
        if text.contains("\"disabled\": true") {
            continue;
        }
        write(&app.path().join(entry.file_name()), &text.replace("\"function\"", &format!("{level:?}")));
    }
    app
}

fn write(folder: &Path, text: &str) {
    fs::create_dir(folder).expect("a folder");
    fs::write(folder.join("function.json"), text).expect("a definition");
}
