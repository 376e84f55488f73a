//! Files of operations that mean harm: each disables itself and nothing else.

use std::fmt::Write as _;

use serde_json::json;

use crate::operations::declare;
use crate::road::Road;

const GOOD: &str = "summary: Says yes
steps: [{id: yes, assert: {that: '1 < 2', message: never}}]
output: {yes: true}
";

fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut text, at| {
        let _ = writeln!(text, "{}", line(at));
        text
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_explodes_disables_itself_alone() {
    let mut laughs = "summary: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        let _ = writeln!(laughs, "a{level}: &a{level} [{aliases}]");
    }
    let loops = "size([1].map(a, [1].map(b, [1].map(c, [1].map(d, 1)))))";
    let bad = [
        ("laughs.yaml", laughs),
        ("deep-flow.yaml", format!("summary: {}{}\n", "[".repeat(5_000), "]".repeat(5_000))),
        ("deep-block.yaml", lines(300, |depth| format!("{}a:", " ".repeat(depth)))),
        ("large.yaml", format!("summary: {}\n", "x".repeat(300 << 10))),
        ("anchors.yaml", lines(15_000, |at| format!("a{at}: &b{at} 1"))),
        ("merge.yaml", "summary: x\nbase: &b {a: 1}\nsteps: [{<<: *b}]\n".to_owned()),
        ("tag.yaml", "summary: !!python/object/apply:os.system ['id']\n".to_owned()),
        ("itself.yaml", "summary: &a [*a]\n".to_owned()),
        ("twice.yaml", "summary: x\nsummary: y\n".to_owned()),
        ("many.yaml", "summary: x\n---\nsummary: y\n".to_owned()),
        ("binary.yaml", "\u{0}\u{1}\u{2}".to_owned()),
        ("climbs.yaml", "summary: x\nsteps: [{id: a, sql: {file: ../../etc/passwd.sql}}]\n".to_owned()),
        ("brackets.yaml", format!("{GOOD}  x: \"{{{{ {}1{} }}}}\"\n", "(".repeat(400), ")".repeat(400))),
        ("loops.yaml", GOOD.replace("1 < 2", &format!("{loops} < 2"))),
        ("pattern.yaml", format!("parameters: {{a: {{type: string, pattern: '{}'}}}}\n{GOOD}", "(a{1000}){1000}")),
    ];
    let folder = tempfile::tempdir().unwrap();
    let mut files: Vec<(&str, &str)> = bad.iter().map(|(name, text)| (*name, text.as_str())).collect();
    files.push(("good.yaml", GOOD));
    let own = declare(folder.path(), &files);
    let road = Road::with(|options| {
        own(options);
        options.databricks.engine = false;
    })
    .await;
    for (file, _) in &bad {
        let name = file.trim_end_matches(".yaml");
        road.post(&format!("/api/operations/{name}"), &json!({}))
            .await
            .problem(503, "operation-invalid")
            .saying(&[file]);
    }
    let reply = road.post("/api/operations/good?waitSeconds=60", &json!({})).await.expect(200);
    assert_eq!(reply.at("/yes"), &json!(true));
    let list = road.get("/api/operations").await.expect(200);
    assert_eq!(list.at("/value").as_array().map(Vec::len), Some(bad.len() + 1));
}
