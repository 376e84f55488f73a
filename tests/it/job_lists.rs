//! Jobs and their runs as lists, and one job with what it takes: by id and by name, filters, pages without a key.

use local_stack::databricks::Clock;
use serde_json::{Value, json};

use crate::road::{Reply, Road};

fn members<'a>(reply: &'a Reply, name: &str) -> Vec<&'a str> {
    reply.at("/value").as_array().unwrap().iter().filter_map(|item| item[name].as_str()).collect()
}

/// All pages, each of which holds at most `most`.
async fn followed(road: &Road, path: &str, name: &str, most: usize) -> Vec<String> {
    let mut page = road.get(path).await.expect(200);
    let mut all = Vec::new();
    loop {
        let items = members(&page, name);
        assert!(items.len() <= most, "{}", page.body);
        all.extend(items.into_iter().map(str::to_owned));
        let Some(link) = page.body["nextLink"].as_str().map(str::to_owned) else { return all };
        // A whole URL is called without a key.
        page = road.get(&link).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_listed_by_name_and_in_pages() {
    let road = Road::start().await;
    let all = road.get("/api/jobs").await.expect(200);
    let names = members(&all, "name");
    assert!(names.contains(&"rebuild-daily-sales") && names.len() > 3, "{names:?}");
    assert!(all.at("/value/0/jobId").is_string());
    assert_eq!(followed(&road, "/api/jobs?limit=3", "name", 3).await, names);
    let named = road.get("/api/jobs?name=SLOW").await.expect(200);
    assert_eq!(members(&named, "name"), ["slow"]);
    assert_eq!(road.get("/api/jobs?name=none").await.expect(200).at("/value"), &json!([]));
    for bad in ["limit=0", "limit=1001", "limit=%2B5", "limit=", "top=5"] {
        road.get(&format!("/api/jobs?{bad}")).await.problem(400, "query-invalid");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_tells_what_it_takes_as_json_schema() {
    let road = Road::start().await;
    let job = road.get("/api/jobs/Monthly-Report").await.expect(200);
    assert_eq!((job.at("/name"), job.at("/jobId")), (&json!("monthly-report"), &json!("618204117305502")));
    assert_eq!(
        job.at("/parameters"),
        &json!({"type": "object", "additionalProperties": false, "properties": {
            "month": {"type": ["string", "null"], "title": "month", "default": "2026-10"},
        }})
    );
    assert_eq!((job.at("/tasks/0/kind"), job.at("/tasks/1/kind")), (&json!("sql"), &json!("notebook")));
    assert_eq!(job.at("/tasks/1/dependsOn"), &json!([{"taskKey": "totals"}]));
    assert!(job.at("/queue").is_boolean() && job.at("/maxConcurrentRuns").is_u64(), "{}", job.body);
    let by_id = road.get("/api/jobs/618204117305502").await.expect(200);
    assert_eq!(by_id.body, job.body);
    road.get("/api/jobs/none").await.problem(404, "job-not-found").saying(&["none"]);
    road.get("/api/jobs/17").await.problem(404, "job-not-found").saying(&["17"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_a_job_are_listed_by_state_and_time_newest_first() {
    let road = Road::with(|options| options.databricks.clock = Clock::Stepped).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let begun = road.post("/api/jobs/slow/runs?mode=start", &json!({})).await.expect(201);
        ids.insert(0, begun.at("/id").as_str().unwrap().to_owned());
    }
    let path = "/api/jobs/slow/runs";
    let all = road.get(path).await.expect(200);
    assert_eq!(members(&all, "runId"), ids);
    assert_eq!(followed(&road, &format!("{path}?limit=2"), "runId", 2).await, ids);
    road.call("POST", &format!("/api/jobs/runs/{}/cancel?waitSeconds=60", ids[1]), None, &[]).await.expect(200);
    let active = road.get(&format!("{path}?state=active")).await.expect(200);
    assert_eq!(members(&active, "runId"), [ids[0].as_str(), &ids[2]]);
    let completed = road.get(&format!("{path}?state=completed")).await.expect(200);
    assert_eq!(members(&completed, "runId"), [&ids[1]]);
    assert_eq!(completed.at("/value/0/terminationCode"), "USER_CANCELED");
    // Each at its own moment, both ends belonging to the range.
    let started = |id: &str| -> Value {
        let items = all.at("/value").as_array().unwrap();
        items.iter().find(|item| item["runId"] == id).unwrap()["startTime"].clone()
    };
    let (first, last) = (started(&ids[2]), started(&ids[0]));
    let range = format!("{path}?from={}&to={}", first.as_str().unwrap(), last.as_str().unwrap());
    assert_eq!(members(&road.get(&range).await.expect(200), "runId"), ids);
    let after = road.get(&format!("{path}?from=2999-01-01T00:00:00Z")).await.expect(200);
    let before = road.get(&format!("{path}?to=2020-01-01T00:00:00%2B01:00")).await.expect(200);
    assert_eq!((after.at("/value"), before.at("/value")), (&json!([]), &json!([])));
    for bad in ["state=running", "from=yesterday", "to=2026-01-01", "limit=241"] {
        road.get(&format!("{path}?{bad}")).await.problem(400, "query-invalid");
    }
    road.get("/api/jobs/none/runs").await.problem(404, "job-not-found");
}
