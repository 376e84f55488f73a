//! Who calls, and whether they may: told before a body is read, so that strangers cost next to nothing. What a token must be
//! and what roles allow is `entra`'s to say.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use secrecy::SecretString;

use super::super::Guarded;
use super::super::function::AuthLevel;
use super::super::layers::Invocation;
use super::super::route::Found;
use super::super::shell::Shell;
use crate::entra::{Caller, Callers, Given};
use crate::failure::{Code, Failure};

/// Set by App Service authentication, and by nobody else where it is on.
const PRINCIPAL: &str = "x-ms-client-principal";

/// A caller who was let in, and what stands behind the door.
#[derive(Debug)]
pub(super) struct Admitted<W> {
    pub(super) work: Arc<W>,
    pub(super) caller: Caller,
}

pub(super) async fn admit<W: Guarded>(
    shell: &Arc<Shell<W>>,
    request: &HttpRequest,
    invocation: &Invocation,
    found: &Found<W>,
) -> Result<Admitted<W>, Failure> {
    let work = shell.warm_up.wait(invocation.deadline).await?;
    if found.level == AuthLevel::Anonymous {
        return Ok(Admitted { work, caller: Callers::anybody() });
    }
    let given = given(request.headers());
    let caller = match work.callers().known(&given).await {
        Some(caller) => caller,
        None => asked(shell, work.callers().clone(), given, invocation).await?,
    };
    let operation = found.parts.first().map(String::as_str);
    invocation.span().in_scope(|| work.callers().permit(&caller, found.function, operation))?;
    Ok(Admitted { work, caller })
}

/// On the main runtime, as all work is: what it asks for must not end with this connection.
async fn asked<W: Guarded>(
    shell: &Arc<Shell<W>>,
    callers: Callers,
    given: Given,
    invocation: &Invocation,
) -> Result<Caller, Failure> {
    let deadline = invocation.deadline;
    let asking = shell.runtime.spawn(async move { callers.admit(&given, deadline).await });
    asking
        .await
        .unwrap_or_else(|error| Err(Failure::new(Code::Internal, "The token could not be checked.").caused_by(error)))
}

fn given(headers: &HeaderMap) -> Given {
    let mut values = headers.get_all(AUTHORIZATION);
    let first = values.next();
    let token = first.and_then(|value| bearer(value.to_str().ok()?));
    Given {
        unreadable: values.next().is_some() || (first.is_some() && token.is_none()),
        token,
        principal: headers.get(PRINCIPAL).and_then(|value| value.to_str().ok()).map(str::to_owned),
    }
}

/// RFC 6750, section 2.1; the scheme's name ignores case (RFC 9110, section 11.1).
fn bearer(value: &str) -> Option<SecretString> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| SecretString::from(token.to_owned()))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use rstest::rstest;
    use secrecy::ExposeSecret;

    use super::*;

    #[rstest]
    #[case(&["Bearer a.b.c"], Some("a.b.c"), false)]
    #[case(&["bearer   a.b.c "], Some("a.b.c"), false)]
    #[case(&[], None, false)]
    #[case(&["Basic dTpw"], None, true)]
    #[case(&["Bearer "], None, true)]
    #[case(&["a.b.c"], None, true)]
    #[case(&["Bearer a.b.c", "Bearer d.e.f"], Some("a.b.c"), true)]
    fn one_bearer_token_is_read(#[case] values: &[&str], #[case] token: Option<&str>, #[case] unreadable: bool) {
        let mut request = TestRequest::default();
        for value in values {
            request = request.append_header((AUTHORIZATION, *value));
        }
        let given = given(request.to_http_request().headers());
        assert_eq!(given.unreadable, unreadable);
        assert_eq!(given.token.as_ref().map(ExposeSecret::expose_secret), token);
    }
}
