//! What `features.rs` promises.

use super::*;

fn found(release: &str, test: &str) -> Vec<String> {
    let found = differences(&Package::read(release), &Package::read(test));
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn a_feature_that_only_a_dev_dependency_turns_on_is_found() {
    let release = "serde_json v1.0.150|default,preserve_order,raw_value,std";
    let test = "serde_json v1.0.150|default,float_roundtrip,preserve_order,raw_value,std\ninsta v1.49.0|json";
    assert_eq!(found(release, test), ["serde_json +float_roundtrip"]);
}

#[test]
fn a_feature_that_tests_lack_is_found() {
    assert_eq!(found("tokio v1.54.1|net,rt", "tokio v1.54.1|rt"), ["tokio -net"]);
}

#[test]
fn versions_are_compared_each_with_itself() {
    let release = "base64 v0.21.7|std\nbase64 v0.22.1|alloc";
    assert!(found(release, "base64 v0.21.7|std\nbase64 v0.22.1|alloc\nbase64 v0.13.0|x").is_empty());
    assert_eq!(found(release, "base64 v0.21.7|std,x\nbase64 v0.22.1|alloc"), ["base64 +x"]);
}

#[test]
fn packages_of_tests_alone_and_the_order_of_features_do_not_matter() {
    assert!(found("serde v1.0.1|a,b (*)\nserde v1.0.1|a,b", "serde v1.0.1|b,a\nproptest v1.0.0|std").is_empty());
}

#[test]
fn an_accepted_difference_passes_a_changed_or_stale_one_does_not() {
    let tree = differences(&Package::read("tokio v1.0.0|rt"), &Package::read("tokio v1.0.0|rt,test-util"));
    let of = |text: &str| breaches(&tree, &Accepted::read(text).unwrap()).len();
    assert_eq!(of("# why\ntokio +test-util: a clock that tests can stop"), 0);
    assert_eq!(of(""), 1);
    assert_eq!(of("tokio +test-util +process: a clock"), 2);
    assert_eq!(of("tokio +test-util: a clock\nhyper +server: the stand-ins"), 1);
}

#[test]
fn a_difference_without_a_reason_is_refused() {
    for text in ["tokio +test-util", "tokio +test-util: ", "tokio: why", "tokio test-util: why"] {
        assert!(Accepted::read(text).is_err(), "{text}");
    }
}
