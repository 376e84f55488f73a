//! Names and versions, checked before a call: the SDK puts them into the path as they are, so that `../keys/x` would
//! reach another part of the vault with our token.

use crate::failure::{Code, Failure};

/// 1 to 127 letters, digits and hyphens (learn.microsoft.com, "Key Vault keys, secrets and certificates overview").
pub(super) fn check_name(name: &str) -> Result<(), Failure> {
    let valid =
        (1..=127).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if valid {
        return Ok(());
    }
    // Whatever stands there might be a secret put in the wrong place: it is not shown.
    Err(Failure::new(
        Code::SecretNotFound,
        "The name of a secret is not valid: a secret in Key Vault is named with 1 to 127 letters, digits and hyphens.",
    ))
}

/// 32 hex digits.
pub(super) fn check_version(name: &str, version: &str) -> Result<(), Failure> {
    if is_version(version) {
        return Ok(());
    }
    Err(Failure::new(
        Code::SecretNotFound,
        format!("The version asked for of the secret {name} is not valid: a version is 32 hex digits in lower case."),
    ))
}

pub(super) fn is_version(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{check_name, is_version};

    #[rstest]
    #[case("databricks-token", true)]
    #[case("", false)]
    #[case("../keys/evil?x=1", false)]
    #[case("a b", false)]
    #[case("ünicode", false)]
    fn only_names_that_need_no_encoding_are_asked_for(#[case] name: &str, #[case] valid: bool) {
        assert_eq!(check_name(name).is_ok(), valid);
    }

    #[test]
    fn a_name_ends_at_127() {
        assert!(check_name(&"a".repeat(127)).is_ok());
        assert!(check_name(&"a".repeat(128)).is_err());
    }

    #[test]
    fn a_version_is_32_hex_digits() {
        assert!(is_version("0123456789abcdef0123456789abcdef"));
        assert!(!is_version("0123456789ABCDEF0123456789ABCDEF"));
        assert!(!is_version("0123456789abcdef"));
    }
}
