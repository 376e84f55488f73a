//! The scenarios of docs/scenarios, as they ship: each started as its page says, up to what others get of it.

use serde_json::{Value, json};

use crate::road::Road;

fn invoice(change: &Value) -> Value {
    let mut invoice = json!({
        "supplierId": "S-002", "invoiceNumber": "NEW-1", "invoiceDate": "2026-11-01",
        "lines": [
            {"quantity": 3, "unitPrice": 19.99, "taxRate": 0.19},
            {"quantity": 1, "unitPrice": 100, "taxRate": 0.07},
        ],
    });
    let members = invoice.as_object_mut().unwrap();
    members.extend(change.as_object().unwrap().clone());
    json!({"invoiceData": invoice})
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_is_judged_in_one_call_and_its_amounts_are_numbers() {
    let road = Road::start().await;
    let judge =
        async |change: Value| road.post("/api/operations/validate-invoice", &invoice(&change)).await.expect(200);
    let good = judge(json!({})).await;
    assert_eq!(
        good.body,
        json!({"isValid": true, "taxAmount": 18.39, "totalDue": 178.36, "isDuplicate": false, "reasons": []})
    );
    let known = road.sql("SELECT supplier_id, invoice_number FROM main.finance.invoices ORDER BY ALL LIMIT 1").await;
    let row = known.at("/rows/0").clone();
    let double = json!({"supplierId": row["supplier_id"], "invoiceNumber": row["invoice_number"]});
    let double = judge(double).await;
    assert_eq!((double.at("/isValid"), double.at("/isDuplicate")), (&json!(false), &json!(true)));
    for (change, reason) in [
        (json!({"supplierId": "S-010"}), "the supplier is blocked"),
        (json!({"supplierId": "S-999"}), "the supplier is not known"),
        (json!({"supplierId": null}), "it has no supplier or no number"),
        (json!({"lines": [{"quantity": 1}]}), "a line has no quantity, price or tax rate, or there are none"),
        (json!({"lines": []}), "a line has no quantity, price or tax rate, or there are none"),
        (json!({"supplierId": "'; DROP TABLE main.finance.invoices; --"}), "the supplier is not known"),
    ] {
        let judged = judge(change).await;
        assert_eq!((judged.at("/isValid"), judged.at("/reasons")), (&json!(false), &json!([reason])));
        assert!(judged.at("/taxAmount").is_number() && judged.at("/totalDue").is_number());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forecast_rows_are_written_where_nobody_changed_them_and_handed_back_elsewhere() {
    let road = Road::start().await;
    let row = |country: &str, amount: f64, version: u32| json!({"country": country, "month": "2027-01", "amount": amount, "version": version});
    let body = json!({"rows": [row("DE", 1234.5, 1), row("FR", 99.0, 7), row("XX", 1.0, 1)]});
    let first = road.post("/api/operations/submit-forecast?waitSeconds=60", &body).await.expect(200);
    assert_eq!(first.at("/written"), 1);
    let conflicts = first.at("/conflicts").as_array().unwrap();
    let told: Vec<_> = conflicts.iter().map(|row| (&row["country"], &row["version"])).collect();
    assert_eq!(told, [(&json!("FR"), &json!(1)), (&json!("XX"), &Value::Null)]);
    let body = json!({"rows": [row("DE", 777.25, 1), row("FR", 98.0, 7)], "ifChanged": "overwrite"});
    let second = road.post("/api/operations/submit-forecast?waitSeconds=60", &body).await.expect(200);
    assert_eq!(second.body, json!({"written": 2, "conflicts": []}));
    let kept = "SELECT country, amount, version FROM main.planning.forecast \
                WHERE month = '2027-01' AND country IN ('DE', 'FR') ORDER BY country";
    let kept = road.sql(kept).await.expect(200);
    assert_eq!(
        kept.at("/rows"),
        &json!([
            {"country": "DE", "amount": 777.25, "version": 3},
            {"country": "FR", "amount": 98.0, "version": 2},
        ])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dashboard_is_added_up_refreshed_and_told() {
    let road = Road::start().await;
    let body = json!({"month": "2026-10"});
    let reply = road.post("/api/operations/refresh-dashboard?waitSeconds=90", &body).await.expect(200);
    assert!(reply.at("/amount").as_f64().unwrap() > 0.0 && reply.at("/refreshed").is_string(), "{}", reply.body);
    let told = &road.messages("business-results", 1).await[0];
    let told: Value = serde_json::from_slice(&told.body).unwrap();
    assert_eq!((&told["month"], &told["amount"]), (&json!("2026-10"), reply.at("/amount")));
    assert_eq!(road.effects("powerBi", "refresh").len(), 1);
    let empty = road.post("/api/operations/refresh-dashboard?waitSeconds=90", &json!({"month": "2031-01"})).await;
    empty.problem(422, "assertion-failed").saying(&["2031-01"]);
    assert_eq!(road.effects("powerBi", "refresh").len(), 1, "an empty month refreshes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_gold_has_missed_is_repaired_and_only_kept() {
    let road = Road::start().await;
    let body = json!({"day": "2026-11-05"});
    let reply = road.post("/api/operations/data-quality?waitSeconds=90", &body).await.expect(200);
    assert_eq!(reply.at("/repaired"), true);
    assert!(reply.at("/checks").as_array().unwrap().iter().all(|check| check["severity"] == "ok"), "{}", reply.body);
    assert_eq!(road.effects("databricks", "jobRun").len(), 1);
    let kept = road.sql("SELECT count(*) AS n FROM main.gold.quality_results WHERE severity = 'ok'").await.expect(200);
    assert_eq!(kept.at("/rows/0/n"), 3);
    assert_eq!((road.queue("quality-warnings").peek().len(), road.queue("incidents").peek().len()), (0, 0));
    let again = road.post("/api/operations/data-quality?waitSeconds=90", &body).await.expect(200);
    assert_eq!(again.at("/repaired"), false, "nothing is left to repair");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_bad_is_told_by_its_severity() {
    let road = Road::start().await;
    road.sql("UPDATE main.sales.orders SET customer_id = -1 WHERE order_date = DATE '2026-10-20'").await.expect(200);
    let run = async |critical: f64| {
        let body = json!({"day": "2026-10-20", "critical": critical});
        road.post("/api/operations/data-quality?waitSeconds=90", &body).await.expect(200)
    };
    let warned = run(1.0).await;
    assert_eq!(warned.at("/repaired"), false);
    let told: Value = serde_json::from_slice(&road.messages("quality-warnings", 1).await[0].body).unwrap();
    assert_eq!(told["checks"][0]["check_name"], "orders have a customer");
    let escalated = run(0.5).await;
    assert_eq!(escalated.at("/repaired"), true, "a repair is tried before anybody is called");
    let told: Value = serde_json::from_slice(&road.messages("incidents", 1).await[0].body).unwrap();
    assert_eq!((&told["repaired"], &told["checks"][0]["severity"]), (&json!(true), &json!("critical")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submitted_order_is_processed_and_the_business_system_hears_of_it() {
    let road = Road::start().await;
    let changed = |attributes: Value, request: &str| {
        json!({
            "MessageName": "Update", "PrimaryEntityName": "salesorder", "PrimaryEntityId": "so-1001", "Depth": 1, "Mode": 1,
            "RequestId": request, "OperationId": request, "OrganizationId": "org",
            "InputParameters": [{"key": "Target", "value": {"LogicalName": "salesorder", "Attributes": attributes}}],
        })
    };
    // 2026-11-05T10:00:00Z, as Dataverse writes it.
    let submitted = changed(json!([{"key": "submitdate", "value": "/Date(1793872800000)/"}]), "r-1");
    road.request("a", &submitted);
    road.request("b", &submitted);
    road.request("c", &changed(json!([{"key": "name", "value": "Other"}]), "r-2"));
    let told = &road.messages("business-results", 1).await[0];
    let body: Value = serde_json::from_slice(&told.body).unwrap();
    assert_eq!((&body["order"], &body["processed"]), (&json!("so-1001"), &json!(true)));
    road.until("all messages are taken", |road| road.queue("causeway-requests").peek().is_empty()).await;
    assert_eq!(road.effects("databricks", "jobRun").len(), 1, "one event, one job run");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_landed_is_loaded_once_and_the_model_is_refreshed() {
    let road = Road::start().await;
    let landed = |id: &str, name: &str, api: &str| {
        json!({
            "id": id, "topic": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/lake",
            "subject": format!("/blobServices/default/containers/landing/blobs/{name}"),
            "eventType": "Microsoft.Storage.BlobCreated", "eventTime": "2026-11-05T10:00:00Z", "dataVersion": "",
            "data": {"api": api, "contentLength": 12, "url": format!("https://lake.blob.core.windows.net/landing/{name}")},
        })
    };
    road.stack.event_grid.publish(landed("1", "orders.csv", "CreateFile"));
    road.stack.event_grid.publish(landed("2", "orders.csv", "FlushWithClose"));
    road.stack.event_grid.publish(landed("2", "orders.csv", "FlushWithClose"));
    road.stack.event_grid.publish(landed("3", "picture.png", "PutBlob"));
    road.until("the model is refreshed", |road| !road.effects("powerBi", "refresh").is_empty()).await;
    let runs = road.effects("databricks", "jobRun");
    assert_eq!(runs.len(), 1, "{runs:?}");
    road.until("the run is closed", |road| road.ledger("history/").len() == 1 && road.ledger("open/").is_empty()).await;
}
