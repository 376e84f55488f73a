//! `causeway check --live` on the local stack: which identity each neighbour gets, what it may do, and each refusal with its
//! exact words. That no secret is printed is looked at every time.

use std::process::Stdio;

use jiff::SignedDuration;
use local_stack::core::{Action, Fault};
use local_stack::databricks::{CLIENT_ID, RESOURCE_ID, STOPPED_WAREHOUSE, WAREHOUSE};
use local_stack::entra::federation::{EXCHANGE, PLATFORM};
use local_stack::entra::{FederatedCredential, users};
use local_stack::stack::{ENTRA_CLIENT_ID, ENTRA_PUBLIC_CLIENT_ID, USER_ASSIGNED};
use tokio::process::Command;

use crate::declared::Declared;
use crate::road::{PATIENCE, handler};

/// Of the managed identity that the stack has by itself.
const SYSTEM: (&str, &str) = ("6a1f5c2e-8f1b-4c37-9d0a-1b7c55e0a001", "6a1f5c2e-8f1b-4c37-9d0a-1b7c55e0a002");
const SUBJECT: &str = "system:serviceaccount:causeway:causeway";
const DATABRICKS_SCOPE: &str = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default";
const POWER_BI_SCOPE: &str = "https://analysis.windows.net/powerbi/api/.default";

type Settings<'a> = &'a [(&'a str, &'a str)];

/// No host, no SQL engine.
async fn road() -> Declared {
    let mut road = Declared::canned(&[], &[]).await;
    road.stack.stop_host().await;
    road.reply("SELECT 1", &["1"], &[&["1"]]);
    road
}

struct Checked {
    code: Option<i32>,
    text: String,
}

/// Runs the command with these settings on top of the stack's.
async fn check(road: &Declared, settings: Settings<'_>) -> Checked {
    let mut command = Command::new(handler());
    command
        .args(["check", "--live"])
        .env_clear()
        .envs(road.stack.handler_environment())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command.envs(settings.iter().copied());
    let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("in time").expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let all = format!("{text}{}", String::from_utf8_lossy(&output.stderr));
    for secret in road.stack.every_secret() {
        assert!(!all.contains(&secret), "a secret is printed: {all}");
    }
    Checked { code: output.status.code(), text }
}

impl Checked {
    /// The cells of the table: neighbour, identity, asked, answer.
    fn rows(&self) -> Vec<Vec<&str>> {
        let table = self.text.split("NEIGHBOUR").nth(1).unwrap_or_default();
        let lines = table.lines().skip(1).take_while(|line| !line.is_empty());
        lines.map(|line| line.trim().split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()).collect()
    }

    #[track_caller]
    fn granted(self, row: [&str; 4]) -> Self {
        assert!(self.rows().iter().any(|found| **found == row), "{row:?} in\n{}", self.text);
        self
    }

    /// A row, and its hint word for word.
    #[track_caller]
    fn refused(self, row: [&str; 4], hint: &str) -> Self {
        assert_eq!(self.code, Some(1), "{}", self.text);
        let [neighbour, _, asked, answer] = row;
        let told = format!("\n{neighbour}, {asked}: {answer}\n  {hint}\n");
        assert!(self.text.contains(&told), "{told}\nin\n{}", self.text);
        self.granted(row)
    }

    #[track_caller]
    fn whole(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.text);
        assert!(self.text.ends_with(" asked, 0 refused\n"), "{}", self.text);
        self
    }
}

fn managed() -> String {
    format!("managed identity {}", SYSTEM.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_identity_is_named_with_what_it_may_do() {
    let road = road().await;
    let own = managed();
    let checked = check(&road, &[]).await.whole();
    let use_it = format!("use the warehouse {WAREHOUSE}");
    let me = format!("yes, as {CLIENT_ID}");
    for row in [
        ["Key Vault", &own, "read the secret causeway-status-key", "yes"],
        ["Key Vault", &own, "read the secret causeway-sealing-key", "yes"],
        ["ledger", &own, "write an entry", "yes"],
        ["ledger", &own, "read it", "yes"],
        ["ledger", &own, "delete it", "yes"],
        ["Service Bus", &own, "send to causeway-work", "yes"],
        ["Service Bus", &own, "send to causeway-replies", "yes"],
        ["Databricks", &own, "who am I", &me],
        ["Databricks", &own, &use_it, "yes"],
        ["Power BI", &own, "list workspaces", "yes, 2 of them"],
    ] {
        assert!(checked.rows().iter().any(|found| **found == row), "{row:?} in\n{}", checked.text);
    }
    // One table: what a column holds begins where its head does.
    let lines: Vec<&str> = checked.text.lines().filter(|line| line.starts_with("  ")).collect();
    let at = lines[0].find("ASKED").unwrap();
    assert!(lines[1..].iter().all(|line| line.as_bytes()[at - 1] == b' ' && line.as_bytes()[at] != b' '), "{lines:?}");
    assert!(road.ledger("checks/").is_empty(), "the check leaves nothing behind");

    let assigned = format!("managed identity {}", USER_ASSIGNED.0);
    let chosen = check(&road, &[("CAUSEWAY_MANAGED_IDENTITY_CLIENT_ID", USER_ASSIGNED.0)]).await.whole();
    chosen.granted(["Databricks", &assigned, &use_it, "yes"]).granted(["ledger", &assigned, "read it", "yes"]);
    let secret = format!("application {ENTRA_CLIENT_ID} (secret)");
    let both = [("CAUSEWAY_DATABRICKS_AUTH", "client-secret"), ("CAUSEWAY_POWER_BI_AUTH", "client-secret")];
    let both = check(&road, &both).await.whole();
    both.granted(["Databricks", &secret, &use_it, "yes"])
        .granted(["Power BI", &secret, "list workspaces", "yes, 2 of them"])
        .granted(["Key Vault", &own, "read the secret entra-client-secret", "yes"]);
    let m2m = check(&road, &[("CAUSEWAY_DATABRICKS_AUTH", "oauth-m2m"), ("CAUSEWAY_DATABRICKS_CLIENT_ID", CLIENT_ID)]);
    let principal = format!("Databricks principal {CLIENT_ID}");
    m2m.await.whole().granted(["Databricks", &principal, "who am I", &me]);
    let pat = check(&road, &[("CAUSEWAY_DATABRICKS_AUTH", "pat")]).await.whole();
    pat.granted(["Databricks", "personal access token", &use_it, "yes"]).granted([
        "Key Vault",
        &own,
        "read the secret databricks-token",
        "yes",
    ]);
    let person = check(&road, &[("CAUSEWAY_POWER_BI_AUTH", "refresh-token")]).await.whole();
    let name = format!("person {}", users::CONTROLLER.principal_name);
    person.granted(["Power BI", &name, "look into My Workspace", "yes, 1 datasets"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_is_proved_by_the_managed_identity_or_by_a_file() {
    let road = road().await;
    let federated = format!("application {ENTRA_CLIENT_ID} (federated)");
    let both = [("CAUSEWAY_DATABRICKS_AUTH", "federated"), ("CAUSEWAY_POWER_BI_AUTH", "federated")];
    let checked = check(&road, &both).await.whole();
    checked.granted(["Databricks", &federated, &format!("use the warehouse {WAREHOUSE}"), "yes"]).granted([
        "Power BI",
        &federated,
        "list workspaces",
        "yes, 2 of them",
    ]);

    let entra = &road.stack.entra;
    let hour = SignedDuration::from_hours(1);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("azure-identity-token");
    let path = file.display().to_string();
    let by_file = [
        ("CAUSEWAY_DATABRICKS_AUTH", "federated"),
        ("CAUSEWAY_ENTRA_ASSERTION", "token-file"),
        ("AZURE_FEDERATED_TOKEN_FILE", path.as_str()),
    ];
    let sign_in = ["Databricks", "application (federated)", "sign in"];
    let refused = |answer: &'static str| [sign_in[0], sign_in[1], sign_in[2], answer];
    let no = |advice: &str, subject: &str, audience: &str| {
        format!(
            "Entra refused the application {ENTRA_CLIENT_ID} for {DATABRICKS_SCOPE}. {advice} Presented were issuer \
             {PLATFORM}, subject {subject}, audience {audience}."
        )
    };
    let status = "no, identity-unavailable (401)";

    let unread = format!(
        "The token that proves the application cannot be read: AZURE_FEDERATED_TOKEN_FILE is {path}. Check that the \
         platform mounts it."
    );
    check(&road, &by_file).await.refused(refused("no, identity-unavailable"), &unread);

    std::fs::write(&file, entra.federation.platform_token(SUBJECT, EXCHANGE, hour)).unwrap();
    let issuer = "The application has no federated credential with this issuer: add one.";
    check(&road, &by_file).await.refused(refused(status), &no(issuer, SUBJECT, EXCHANGE));

    let trust = |subject: &str, audience: &str| FederatedCredential {
        client_id: ENTRA_CLIENT_ID.into(),
        issuer: Some(PLATFORM.into()),
        subject: subject.into(),
        audience: audience.into(),
    };
    entra.federation.add(trust(SUBJECT, "api://another"));
    let audience = "The application's federated credential has another audience: correct it.";
    check(&road, &by_file).await.refused(refused(status), &no(audience, SUBJECT, EXCHANGE));

    std::fs::write(&file, entra.federation.platform_token("system:serviceaccount:x:y", EXCHANGE, hour)).unwrap();
    let subject =
        "The application has no federated credential with this subject (capitals count): add one, or correct it.";
    let presented = no(subject, "system:serviceaccount:x:y", EXCHANGE);
    check(&road, &by_file).await.refused(refused(status), &presented);

    entra.federation.add(trust(SUBJECT, EXCHANGE));
    std::fs::write(&file, entra.federation.platform_token(SUBJECT, EXCHANGE, -hour)).unwrap();
    let time = "The assertion is over, or not yet good: check that the platform renews it, and the clock.";
    check(&road, &by_file).await.refused(refused(status), &no(time, SUBJECT, EXCHANGE));

    std::fs::write(&file, entra.federation.platform_token(SUBJECT, EXCHANGE, hour)).unwrap();
    check(&road, &by_file).await.whole().granted([
        "Databricks",
        &federated,
        "who am I",
        &format!("yes, as {CLIENT_ID}"),
    ]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_by_entra_says_what_to_do() {
    let road = road().await;
    let databricks =
        |detail: &str| format!("Entra refused the application {ENTRA_CLIENT_ID} for {DATABRICKS_SCOPE}. {detail}");
    let by_secret = ["Databricks", "application (secret)", "sign in", "no, identity-unavailable (401)"];
    let wrong =
        [("CAUSEWAY_DATABRICKS_AUTH", "client-secret"), ("CAUSEWAY_ENTRA_CLIENT_SECRET_NAME", "databricks-token")];
    let hint = databricks(
        "The client secret is wrong: store its value, not its id, in Key Vault, in the secret that \
         CAUSEWAY_ENTRA_CLIENT_SECRET_NAME names.",
    );
    check(&road, &wrong).await.refused(by_secret, &hint);

    let bad_request = ["Databricks", "application (secret)", "sign in", "no, identity-unavailable (400)"];
    let stranger = "00000000-0000-4000-8000-000000000000";
    let client = [("CAUSEWAY_DATABRICKS_AUTH", "client-secret"), ("CAUSEWAY_ENTRA_CLIENT_ID", stranger)];
    let hint = format!(
        "Entra refused the application {stranger} for {DATABRICKS_SCOPE}. The tenant has no such application: check \
         CAUSEWAY_ENTRA_CLIENT_ID and CAUSEWAY_ENTRA_TENANT_ID, and that the application has a service principal there."
    );
    check(&road, &client).await.refused(bad_request, &hint);
    let tenant = [("CAUSEWAY_DATABRICKS_AUTH", "client-secret"), ("CAUSEWAY_ENTRA_TENANT_ID", stranger)];
    let hint = databricks("There is no such tenant in this cloud: check CAUSEWAY_ENTRA_TENANT_ID, and CAUSEWAY_CLOUD.");
    check(&road, &tenant).await.refused(bad_request, &hint);

    // A user-assigned identity that the app does not have: nobody gets a token of it.
    let none = check(&road, &[("CAUSEWAY_MANAGED_IDENTITY_CLIENT_ID", stranger)]).await;
    let hint = format!(
        "No token was issued to Causeway's own identity for {POWER_BI_SCOPE}. Check that the function app has a managed \
         identity, and that CAUSEWAY_MANAGED_IDENTITY_CLIENT_ID, when set, is one of its identities."
    );
    none.refused(["Power BI", "managed identity", "sign in", "no, identity-unavailable (400)"], &hint);

    let m2m = [
        ("CAUSEWAY_DATABRICKS_AUTH", "oauth-m2m"),
        ("CAUSEWAY_DATABRICKS_CLIENT_ID", CLIENT_ID),
        ("CAUSEWAY_DATABRICKS_CLIENT_SECRET_NAME", "databricks-token"),
    ];
    let hint = "Databricks refuses this app's client id or secret (Client authentication failed). Renew the secret in Key \
                Vault.";
    let row = ["Databricks", &format!("Databricks principal {CLIENT_ID}"), "sign in", "no, databricks-access-denied"];
    check(&road, &m2m).await.refused(row, hint);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_by_a_neighbour_says_what_to_do() {
    let road = road().await;
    let own = managed();
    let stack = &road.stack;

    let lost = [("CAUSEWAY_WORK_QUEUE", "nowhere"), ("CAUSEWAY_DATABRICKS_WAREHOUSE_ID", STOPPED_WAREHOUSE)];
    let checked = check(&road, &lost).await;
    let hint = "Service Bus has no queue or topic nowhere. Create it, or correct the setting that names it.";
    checked.refused(["Service Bus", &own, "send to nowhere", "no, misconfigured (404)"], hint).granted([
        "Databricks",
        &own,
        &format!("use the warehouse {STOPPED_WAREHOUSE}"),
        "not tried, STOPPED",
    ]);
    assert!(stack.databricks.set_warehouse(STOPPED_WAREHOUSE, None, None, None), "it is there, and was not started");

    stack.databricks.forbid_warehouse(WAREHOUSE);
    let use_it = format!("use the warehouse {WAREHOUSE}");
    let hint = format!(
        "Databricks denies access to warehouse {WAREHOUSE}. Databricks says: You do not have permission to use the SQL \
         warehouse {WAREHOUSE}. Our identity needs CAN USE on the warehouse. The identity's object id is {}.",
        SYSTEM.1
    );
    let checked = check(&road, &[]).await;
    checked.refused(["Databricks", &own, &use_it, "no, databricks-access-denied (403)"], &hint);

    stack.key_vault.remove_secret("causeway-status-key");
    let denied = Action::Status { status: 403, headers: Vec::new(), body: r#"{"error":{"code":"Forbidden"}}"#.into() };
    stack.key_vault.served.faults.add(Fault::once("GET", "/secrets/causeway-sealing-key", denied).times(1_000));
    let checked = check(&road, &[]).await;
    let id = format!(" The identity's object id is {}.", SYSTEM.1);
    let gone =
        "The secret causeway-status-key is not in Key Vault. Create it there, or correct the setting that names it.";
    let closed = format!(
        "Key Vault does not let Causeway read the secret causeway-sealing-key. Give Causeway's identity the role Key Vault \
         Secrets User on the vault, and check that the vault's firewall lets the app in.{id}"
    );
    checked
        .refused(["Key Vault", &own, "read the secret causeway-status-key", "no, secret-not-found (404)"], gone)
        .refused(["Key Vault", &own, "read the secret causeway-sealing-key", "no, secret-unavailable (403)"], &closed);

    let elsewhere = format!("{}/nothing", stack.endpoints().blob);
    let checked = check(&road, &[("CAUSEWAY_LEDGER_URL", &elsewhere)]).await;
    assert!(checked.rows().iter().any(|row| row[0] == "ledger" && row[3].starts_with("no, ")), "{}", checked.text);
    assert_eq!(checked.code, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_principal_outside_the_workspace_comes_in_by_its_resource_in_azure() {
    let road = road().await;
    let own = managed();
    let databricks = &road.stack.databricks;
    databricks.put_out(SYSTEM.1, true);
    let who = ["Databricks", own.as_str(), "who am I", "no, databricks-access-denied (403)"];
    let id = format!(" The identity's object id is {}.", SYSTEM.1);
    let hint = format!(
        "Databricks denies access to the workspace. Databricks says: User not authorized. Is the principal in the \
         workspace? Add it there; or, where it is Contributor on the workspace in Azure, set \
         CAUSEWAY_DATABRICKS_RESOURCE_ID.{id}"
    );
    check(&road, &[]).await.refused(who, &hint);
    let resource = [("CAUSEWAY_DATABRICKS_RESOURCE_ID", RESOURCE_ID)];
    check(&road, &resource).await.whole();
    // From then on it is in.
    check(&road, &[]).await.whole();
    databricks.put_out(SYSTEM.1, false);
    let hint = format!(
        "Databricks denies access to the workspace. Databricks says: User not authorized. The principal is not in the \
         workspace: add it there, or make it Contributor on the workspace that CAUSEWAY_DATABRICKS_RESOURCE_ID names.{id}"
    );
    check(&road, &resource).await.refused(who, &hint);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_is_renewed_written_back_and_never_lost() {
    let road = road().await;
    let (stack, vault) = (&road.stack, &road.stack.key_vault);
    let stored = || vault.secret("power-bi-refresh-token").expect("it is there");
    let first = stored();
    let each = [("CAUSEWAY_POWER_BI_AUTH", "refresh-token"), ("CAUSEWAY_POWER_BI_REFRESH_TOKEN_HOURS", "0")];
    // One that is young stays as it is.
    check(&road, &each[..1]).await.whole();
    assert_eq!(stored(), first);

    let (one, other) = tokio::join!(check(&road, &each), check(&road, &each));
    one.whole();
    other.whole();
    let second = stored();
    assert_ne!(second, first, "a newer one was written");
    // What is there is good.
    check(&road, &each[..1]).await.whole();

    let denied = Action::Status { status: 403, headers: Vec::new(), body: r#"{"error":{"code":"Forbidden"}}"#.into() };
    vault.served.faults.add(Fault::once("PUT", "/secrets/power-bi-refresh-token", denied).times(1_000));
    check(&road, &each).await.whole();
    assert_eq!(stored(), second, "where it may not be written, the old one stays");
    vault.served.faults.clear();

    let person = ["Power BI", "person (refresh token)", "sign in", "no, sign-in-needed (400)"];
    let said = |advice: &str| {
        format!(
            "Entra gives no token for {POWER_BI_SCOPE} to the account that signed in with the application \
             {ENTRA_CLIENT_ID}. {advice}"
        )
    };
    stack.entra.refresh_tokens.let_lapse(&second);
    let lapsed = said("Its refresh token was not used for 90 days: sign in again and store the new one.");
    check(&road, &each).await.refused(person, &lapsed);
    let third = stack.entra.refresh_tokens.sign_in(&users::CONTROLLER, ENTRA_CLIENT_ID);
    vault.set_secret("power-bi-refresh-token", &third);
    stack.entra.refresh_tokens.revoke(&users::CONTROLLER);
    let revoked = said(
        "Its refresh token is over, or was revoked (a new password, or an administrator): sign in again and store the new \
         one.",
    );
    check(&road, &each).await.refused(person, &revoked);
    vault.set_secret("power-bi-refresh-token", "not one at all");
    let nonsense =
        said("What is stored is no refresh token: store the one that a sign-in with this application gives.");
    check(&road, &each).await.refused(person, &nonsense);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_client_proves_itself_with_nothing() {
    let road = road().await;
    let token = road.stack.entra.refresh_tokens.sign_in(&users::CONTROLLER, ENTRA_PUBLIC_CLIENT_ID);
    road.stack.key_vault.set_secret("power-bi-refresh-token", &token);
    let mut settings =
        vec![("CAUSEWAY_POWER_BI_AUTH", "refresh-token"), ("CAUSEWAY_ENTRA_CLIENT_ID", ENTRA_PUBLIC_CLIENT_ID)];
    let hint = format!(
        "Entra refused the application {ENTRA_PUBLIC_CLIENT_ID} for {POWER_BI_SCOPE}. The application is a public client, \
         which proves itself with nothing: set CAUSEWAY_POWER_BI_REFRESH_TOKEN_PROOF to none."
    );
    let row = ["Power BI", "person (refresh token)", "sign in", "no, identity-unavailable (401)"];
    check(&road, &settings).await.refused(row, &hint);
    settings.push(("CAUSEWAY_POWER_BI_REFRESH_TOKEN_PROOF", "none"));
    check(&road, &settings).await.whole();
}

#[tokio::test(flavor = "multi_thread")]
async fn my_workspace_is_there_for_a_person_who_signed_in() {
    let road = Declared::canned(&[], &[("CAUSEWAY_POWER_BI_AUTH", "refresh-token")]).await;
    let reply = road.get("/api/power-bi/workspaces/me/datasets").await.expect(200);
    assert_eq!(reply.body["value"][0]["name"], "Notes");
    // Its own token was renewed by then, and the one in the vault still is.
    road.stack.entra.tokens.revoke_all();
    road.get("/api/power-bi/workspaces/me/datasets").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_wrong_settings_nobody_is_asked() {
    let road = road().await;
    let before = road.stack.history.all().len();
    let checked = check(&road, &[("CAUSEWAY_DATABRICKS_AUTH", "federated"), ("CAUSEWAY_ENTRA_TENANT_ID", "")]).await;
    assert_eq!(checked.code, Some(1));
    let problem = "CAUSEWAY_ENTRA_TENANT_ID: is missing: signing in with federated needs it\n";
    assert!(checked.text.contains(problem) && !checked.text.contains("NEIGHBOUR"), "{}", checked.text);
    assert_eq!(road.stack.history.all().len(), before);
}
