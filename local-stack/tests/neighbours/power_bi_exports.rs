//! Power BI: reports exported to files.

use local_stack::power_bi::{FailedExport, sample};
use serde_json::{Value, json};

use crate::client::Reply;
use crate::power_bi::Room;

fn report(id: &str) -> String {
    format!("groups/{}/reports/{id}", sample::WORKSPACE)
}

/// Starts one; where it is.
async fn start(room: &Room, id: &str, format: &str) -> String {
    let started = room.send("POST", &format!("{}/ExportTo", report(id)), Some(&json!({"format": format}))).await;
    assert_eq!((started.status, &started.json()["status"]), (202, &json!("NotStarted")));
    format!("{}/exports/{}", report(id), started.json()["id"].as_str().unwrap())
}

fn seen(reply: &Reply) -> (u16, Value, Value) {
    (reply.status, reply.json()["status"].clone(), reply.json()["percentComplete"].clone())
}

#[tokio::test]
async fn an_export_is_followed_and_its_file_fetched() {
    let room = Room::start(|_| {}).await;
    let export = start(&room, sample::SALES_OVERVIEW, "PDF").await;
    let first = room.send("GET", &export, None).await;
    assert_eq!((seen(&first), first.header("retry-after")), ((202, json!("NotStarted"), json!(0)), "1"));
    assert_eq!(room.send("GET", &format!("{export}/file"), None).await.status, 404);
    room.power_bi.step();
    let second = room.send("GET", &export, None).await;
    assert_eq!((seen(&second), second.header("retry-after")), ((202, json!("Running"), json!(50)), ""));
    room.power_bi.step();
    let done = room.send("GET", &export, None).await;
    assert_eq!(seen(&done), (200, json!("Succeeded"), json!(100)));
    assert_eq!(done.json()["resourceFileExtension"], ".pdf");
    let file = room.client.get(done.json()["resourceLocation"].as_str().unwrap()).await;
    assert_eq!((file.status, file.header("content-type")), (200, "application/pdf"));
    assert!(file.text.starts_with("%PDF-"));

    room.power_bi.set_export_file("x".repeat(1_000_000));
    let export = start(&room, sample::MONTHLY_STATEMENT, "CSV").await;
    room.power_bi.step();
    room.power_bi.step();
    assert_eq!(room.send("GET", &format!("{export}/file"), None).await.text.len(), 1_000_000);
}

#[tokio::test]
async fn a_failed_export_is_worth_another_try_only_when_it_says_when() {
    let room = Room::start(|_| {}).await;
    for (retry_after_seconds, header) in [(Some(30), "30"), (None, "")] {
        room.power_bi.fail_next_export(FailedExport { retry_after_seconds });
        let export = start(&room, sample::SALES_OVERVIEW, "PPTX").await;
        room.power_bi.step();
        room.power_bi.step();
        let failed = room.send("GET", &export, None).await;
        assert_eq!((failed.status, &failed.json()["status"]), (200, &json!("Failed")));
        assert_eq!(failed.header("retry-after"), header);
        assert_eq!(room.send("GET", &format!("{export}/file"), None).await.status, 404);
    }
}

#[tokio::test]
async fn formats_belong_to_kinds_of_reports_and_exports_to_their_report() {
    let room = Room::start(|_| {}).await;
    for (id, body, status) in [
        (sample::SALES_OVERVIEW, json!({"format": "XLSX"}), 400),
        (sample::SALES_OVERVIEW, json!({"format": "GIF"}), 400),
        (sample::SALES_OVERVIEW, json!({"format": "PNG"}), 202),
        (sample::MONTHLY_STATEMENT, json!({"format": "PNG"}), 400),
        (sample::MONTHLY_STATEMENT, json!({"format": "XLSX"}), 202),
        (sample::MONTHLY_STATEMENT, json!({"format": "PDF", "powerBIReportConfiguration": {}}), 400),
        (
            sample::SALES_OVERVIEW,
            json!({"format": "PDF", "powerBIReportConfiguration": {"pages": vec![json!({"pageName": "P"}); 51]}}),
            400,
        ),
        (sample::SALES_TODAY, json!({"format": "PDF"}), 404),
    ] {
        let reply = room.send("POST", &format!("{}/ExportTo", report(id)), Some(&body)).await;
        assert_eq!(reply.status, status, "{body} {}", reply.text);
    }
    let export = start(&room, sample::SALES_OVERVIEW, "PDF").await;
    let elsewhere = export.replace(sample::SALES_OVERVIEW, sample::MONTHLY_STATEMENT);
    assert_eq!(room.send("GET", &elsewhere, None).await.status, 404);
}
