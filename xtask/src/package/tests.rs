//! What `package.rs` promises.

use super::*;

#[test]
fn sizes_are_lined_up() {
    let files = [("host.json".to_owned(), 512), ("causeway".to_owned(), 12_345_678)];
    let table = table(&files);
    let ends: Vec<usize> = table.lines().map(str::len).collect();
    assert!(ends.windows(2).all(|pair| pair[0] == pair[1]), "{table}");
    assert!(table.ends_with("12,346,190\n"), "{table}");
}

#[test]
fn only_what_ships_is_taken() {
    let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
    let plain = Options { profile: "release", topic: false, auth: Auth::Keys };
    assert_eq!(options(&words(&[])).unwrap(), plain);
    let all = words(&["--topic", "--auth", "entra", "--profile", "dist"]);
    assert_eq!(options(&all).unwrap(), Options { profile: "dist", topic: true, auth: Auth::Entra });
    assert_eq!(options(&words(&["--auth", "keys"])).unwrap(), plain);
    for wrong in [&["--profile", "dev"][..], &["--profile"], &["--release"], &["--auth"], &["--auth", "none"]] {
        assert!(options(&words(wrong)).is_err(), "{wrong:?}");
    }
}

#[test]
#[cfg(unix)]
fn the_package_is_what_the_host_wants_and_nothing_old() {
    use std::os::unix::fs::PermissionsExt as _;
    let scratch = std::env::temp_dir().join(format!("causeway-package-{}", std::process::id()));
    let write = |path: &str| {
        let path = scratch.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "x").unwrap();
        path
    };
    write("repo/host.json");
    let sql = write("repo/function-definitions/sql/function.json");
    fs::write(&sql, format!("{{\"bindings\": [{{{BY_KEY}}}]}}\n")).unwrap();
    write("repo/operations/a.yaml");
    write("repo/operations/deep/a.sql");
    write("package/old");
    let binary = write("built/causeway");
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();
    let topic = write("repo/function-definitions/topic/function.json");
    fs::write(&topic, format!("{{\n{DISABLED}  \"bindings\": []\n}}\n")).unwrap();
    let with_topic = lay_out(&scratch.join("repo"), &binary, &scratch.join("package"), true, Auth::Entra).unwrap();
    assert!(with_topic.iter().any(|(place, _)| place == "topic/function.json"));
    let laid = fs::read_to_string(scratch.join("package/topic/function.json")).unwrap();
    assert_eq!(laid, "{\n  \"bindings\": []\n}\n");
    let sql = || fs::read_to_string(scratch.join("package/sql/function.json")).unwrap();
    assert!(sql().contains(BY_NOBODY) && !sql().contains(BY_KEY), "{}", sql());
    let files = lay_out(&scratch.join("repo"), &binary, &scratch.join("package"), false, Auth::Keys).unwrap();
    assert!(sql().contains(BY_KEY));
    let places: Vec<&str> = files.iter().map(|(place, _)| place.as_str()).collect();
    let wanted = ["host.json", "sql/function.json", "operations/a.yaml", "operations/deep/a.sql", "causeway"];
    assert_eq!(places, wanted);
    assert_eq!(files_below(&scratch.join("package")).unwrap().len(), wanted.len());
    let mode = fs::metadata(scratch.join("package/causeway")).unwrap().permissions().mode();
    assert_eq!(mode & 0o111, 0o111);
    fs::remove_dir_all(&scratch).unwrap();
}
