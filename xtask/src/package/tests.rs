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
fn only_profiles_that_ship_are_taken() {
    let of = |words: &[&str]| profile(&words.iter().map(OsString::from).collect::<Vec<_>>()).map(str::to_owned);
    assert_eq!(of(&[]).unwrap(), "release");
    assert_eq!(of(&["--profile", "dist"]).unwrap(), "dist");
    assert!(of(&["--profile", "dev"]).is_err());
    assert!(of(&["--release"]).is_err());
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
    write("repo/function-definitions/sql/function.json");
    write("repo/operations/a.yaml");
    write("repo/operations/deep/a.sql");
    write("package/old");
    let binary = write("built/causeway");
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();
    let files = lay_out(&scratch.join("repo"), &binary, &scratch.join("package")).unwrap();
    let places: Vec<&str> = files.iter().map(|(place, _)| place.as_str()).collect();
    let wanted = ["host.json", "sql/function.json", "operations/a.yaml", "operations/deep/a.sql", "causeway"];
    assert_eq!(places, wanted);
    assert_eq!(files_below(&scratch.join("package")).unwrap().len(), wanted.len());
    let mode = fs::metadata(scratch.join("package/causeway")).unwrap().permissions().mode();
    assert_eq!(mode & 0o111, 0o111);
    fs::remove_dir_all(&scratch).unwrap();
}
