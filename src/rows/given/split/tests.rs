//! Bodies cut anywhere give the same parts; what is no such body is refused with its place.

use proptest::prelude::*;

use super::*;

/// All parts of a body that arrives in these pieces.
fn parts<'a>(lines: bool, pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Part>, Failure> {
    let mut splitter = Splitter::new(lines);
    let mut parts = Vec::new();
    for piece in pieces {
        splitter.push(piece);
        while let Some(part) = splitter.next()? {
            parts.push(part);
        }
    }
    splitter.end();
    while let Some(part) = splitter.next()? {
        parts.push(part);
    }
    Ok(parts)
}

fn row(text: &str) -> Part {
    Part::Row(Bytes::copy_from_slice(text.as_bytes()))
}

fn member(name: &str, text: &str) -> Part {
    Part::Member(name.into(), Bytes::copy_from_slice(text.as_bytes()))
}

#[test]
fn an_object_gives_its_members_and_its_rows_in_order() {
    let body = "\u{feff} {\"mode\" : \"upsert\", \"keys\":[\"a]\", \"b\\\"\"],\n\"rows\":[ {\"a\":\"}\"} , {\"b\":[{}]},7,null ], \"x\":1}\n";
    let expected = vec![
        member("mode", "\"upsert\""),
        member("keys", "[\"a]\", \"b\\\"\"]"),
        row("{\"a\":\"}\"}"),
        row("{\"b\":[{}]}"),
        row("7"),
        row("null"),
        member("x", "1"),
    ];
    assert_eq!(parts(false, [body.as_bytes()]).unwrap(), expected);
    let letters: Vec<&[u8]> = body.as_bytes().chunks(1).collect();
    assert_eq!(parts(false, letters).unwrap(), expected);
}

#[test]
fn an_array_and_lines_give_their_rows() {
    let rows = vec![row("{\"a\":1}"), row("{\"a\":2}")];
    assert_eq!(parts(false, [&b"[{\"a\":1},{\"a\":2}]"[..]]).unwrap(), rows);
    assert_eq!(parts(true, [&b"\n{\"a\":1}\r\n\n  {\"a\":2}"[..]]).unwrap(), rows);
    assert_eq!(parts(true, [&b"\xEF\xBB\xBF{\"a\":1}\n{\"a\":2}\n"[..]]).unwrap(), rows);
    assert_eq!(parts(false, [&b"[]"[..]]).unwrap(), Vec::new());
    assert_eq!(parts(true, [&b""[..]]).unwrap(), Vec::new());
}

#[test]
fn what_is_cut_or_no_json_is_refused_with_its_place() {
    for (body, place) in [
        ("{\"rows\":[{\"a\":1}", "byte 16"),
        ("{\"rows\":[{\"a\":1}]", "byte 17"),
        ("{\"rows\":[{\"a\":\"x", "byte 16"),
        ("[1,]", "byte 4"),
        ("[1 2]", "byte 4"),
        ("[,1]", "byte 2"),
        ("[1]]", "byte 4"),
        ("{\"mode\":}", "byte 9"),
        ("{\"mode\" 1}", "byte 9"),
        ("{mode:1}", "byte 2"),
        ("{\"a\":1,}", "byte 8"),
        ("7", "byte 1"),
        ("\"rows\"", "byte 1"),
    ] {
        let failure = parts(false, [body.as_bytes()]).unwrap_err();
        assert_eq!((failure.code, failure.place.as_deref()), (Code::BodyMalformed, Some(place)), "{body}");
    }
    assert_eq!(parts(false, [&b"{\"rows\":[],\"rows\":[]}"[..]]).unwrap_err().code, Code::BodyInvalid);
}

#[test]
fn a_row_that_does_not_end_is_refused_before_it_fills_the_memory() {
    let mut splitter = Splitter::new(false);
    splitter.push(b"[\"");
    let piece = vec![b'x'; 1 << 20];
    let refused = (0..=9).find_map(|_| {
        splitter.push(&piece);
        splitter.next().err()
    });
    assert_eq!(refused.unwrap().code, Code::BodyTooLarge);
    let mut splitter = Splitter::new(true);
    let refused = (0..=9).find_map(|_| {
        splitter.push(&piece);
        splitter.next().err()
    });
    assert_eq!(refused.unwrap().code, Code::BodyTooLarge);
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        ".*".prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::hash_map(".{0,5}", inner, 0..4)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn rows_cut_anywhere_are_the_rows_that_were_written(
        rows in prop::collection::vec(json(), 0..8), pretty: bool, cuts in prop::collection::vec(1_usize..40, 1..20),
    ) {
        let body = serde_json::json!({"mode": "insert", "rows": rows});
        let text = if pretty { serde_json::to_string_pretty(&body) } else { serde_json::to_string(&body) }.unwrap();
        let (mut pieces, mut rest, mut cut) = (Vec::new(), text.as_bytes(), cuts.iter().cycle());
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.len().min(*cut.next().unwrap()));
            pieces.push(piece);
            rest = after;
        }
        let read: Vec<serde_json::Value> = parts(false, pieces).unwrap().into_iter().filter_map(|part| match part {
            Part::Row(row) => Some(serde_json::from_slice(&row).unwrap()),
            Part::Member(..) => None,
        }).collect();
        prop_assert_eq!(read, rows);
    }

    #[test]
    fn no_body_is_a_panic(body: Vec<u8>, text in "[\\[\\]{},:\"a1\\\\ ]{0,40}", lines: bool) {
        let _ = parts(lines, [&body[..]]);
        let _ = parts(lines, text.as_bytes().chunks(3));
    }
}
