//! What somebody who was let in may do, and whose things are whose: app roles, and the object id that claims, statements and
//! runs belong to.

use serde_json::{Value, json};

use crate::company_door::{Door, FRANCE, GERMANY, OFFICE};

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_opens_its_areas_and_operations_and_nothing_else() {
    let door = Door::open().await;
    let seller = door.token(&GERMANY, &["Seller"]);
    let number = json!({"number": 3});
    let done = door.post("/api/operations/tell", number.clone(), &seller).await.expect(200);
    assert_eq!(done.at("/number"), 3);
    assert_eq!(names(door.get("/api/operations", &seller).await.expect(200).at("/value")), ["tell"]);
    door.get("/api/operations/tell", &seller).await.expect(200);
    door.get("/api/runs", &seller).await.expect(200);

    let refused = door.post("/api/operations/other", number.clone(), &seller).await.problem(403, "role-missing");
    assert_eq!(refused.message(), "None of your app roles allows operations/other. Ask for one of: Admin.");
    let challenge = refused.header("www-authenticate").unwrap();
    assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
    door.road
        .logged("who was refused what", |line| {
            line["oid"] == GERMANY.object_id && line["roles"] == "Seller" && line["needed"] == "operations/other"
        })
        .await;
    for path in ["/api/sql/warehouses", "/api/jobs", "/api/power-bi/workspaces"] {
        door.get(path, &seller).await.problem(403, "role-missing");
    }
    door.post("/api/power-bi-raw", json!({}), &seller).await.problem(403, "role-missing");
    // A role that the table does not know is none, and so is none at all.
    for roles in [&["Unheard"][..], &[]] {
        door.get("/api/runs", &door.token(&GERMANY, roles)).await.problem(403, "role-missing");
    }
    // Roles add up; `*` is everything.
    let both = door.token(&GERMANY, &["Seller", "Analyst"]);
    door.get("/api/sql/warehouses", &both).await.expect(200);
    let admin = door.token(&OFFICE, &["Admin"]);
    assert_eq!(names(door.get("/api/operations", &admin).await.expect(200).at("/value")), ["other", "tell"]);
    door.post("/api/operations/other", number, &admin).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_callers_with_one_idempotency_key_are_two() {
    let door = Door::open().await;
    let (germany, france) = (door.token(&GERMANY, &["Seller"]), door.token(&FRANCE, &["Seller"]));
    let call = async |token: &str, number: i64| {
        let headers = [("authorization", &*format!("Bearer {token}")), ("idempotency-key", "monday")];
        door.call("POST", "/api/operations/tell", Some(json!({"number": number})), &headers).await
    };
    let first = call(&germany, 1).await.expect(200);
    // Another body under the same key would be 422, had it been hers.
    let second = call(&france, 2).await.expect(200);
    assert_eq!((first.at("/number"), second.at("/number")), (&json!(1), &json!(2)));
    assert!(!first.replayed() && !second.replayed());
    assert!(call(&germany, 1).await.expect(200).replayed());
    call(&germany, 2).await.problem(422, "idempotency-key-reused");
    for user in [&GERMANY, &FRANCE] {
        assert!(!door.road.ledger(&format!("claims/{}/operations/", user.object_id)).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_another_is_not_found() {
    let door = Door::open().await;
    let (germany, france) = (door.token(&GERMANY, &["Seller"]), door.token(&FRANCE, &["Seller"]));
    let failed = door.post("/api/operations/tell", json!({"number": 0}), &germany).await;
    let failed = failed.problem(422, "assertion-failed");
    let run = failed.at("/runId").as_str().unwrap().to_owned();
    door.get(&format!("/api/runs/{run}"), &germany).await.expect(200);
    let paths = ["", "/cancel", "/retry", "/resolve"];
    for path in paths {
        let path = format!("/api/runs/{run}{path}");
        let body = path.ends_with("/resolve").then(|| json!({"step": "check", "outcome": "happened"}));
        let method = if path.ends_with(&run) { "GET" } else { "POST" };
        let bearer = format!("Bearer {france}");
        let reply = door.call(method, &path, body, &[("authorization", &bearer)]).await.problem(404, "run-not-found");
        // As of a run that never was.
        assert_eq!(reply.message(), format!("There is no run \"{run}\"."));
    }
    let listed = async |token: &str| -> Vec<String> {
        let list = door.get("/api/runs", token).await.expect(200);
        let runs = list.at("/value").as_array().unwrap().clone();
        runs.iter().map(|run| run["runId"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(listed(&germany).await, std::slice::from_ref(&run));
    assert!(listed(&france).await.is_empty());
    // Whoever sees everybody's sees it, and so with a message's.
    door.road.request("m-1", &json!({"operation": "tell", "parameters": {"number": 7}}));
    door.road.until("both have ended", |road| road.ledger("history/").len() == 2).await;
    let admin = door.token(&OFFICE, &["Admin"]);
    door.get(&format!("/api/runs/{run}"), &admin).await.expect(200);
    assert_eq!(listed(&admin).await.len(), 2);
    assert_eq!(listed(&germany).await, std::slice::from_ref(&run));
    // A retry calls the operation again, which a reader of runs may not.
    let reader = door.token(&GERMANY, &["Reader"]);
    door.get(&format!("/api/runs/{run}"), &reader).await.expect(200);
    door.post(&format!("/api/runs/{run}/retry"), json!({}), &reader).await.problem(403, "role-missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_of_another_is_not_found() {
    let door = Door::open().await;
    let (germany, france) = (door.token(&GERMANY, &["Analyst"]), door.token(&FRANCE, &["Analyst"]));
    // A read, and what is claimed.
    for statement in ["SELECT 1 AS one", "CREATE OR REPLACE TABLE gold.mine AS SELECT 1 AS one"] {
        let done = door.post("/api/sql/statements", json!({"statement": statement}), &germany).await.expect(200);
        let id = done.at("/statementId").as_str().unwrap().to_owned();
        for path in ["", "/rows"] {
            let path = format!("/api/sql/statements/{id}{path}");
            door.get(&path, &germany).await.expect(200);
            door.get(&path, &france).await.problem(404, "statement-not-found");
            door.get(&path, &door.token(&OFFICE, &["Admin"])).await.expect(200);
        }
        let cancel = format!("/api/sql/statements/{id}/cancel");
        door.post(&cancel, json!({}), &france).await.problem(404, "statement-not-found");
    }
}
