//! Where Power BI is, and how we sign in there.

use std::time::Duration;

use super::super::clouds::Cloud;
use super::super::concerns::PowerBi;
use super::super::identity::{PowerBiAuthentication, RefreshToken, RefreshTokenProof};
use super::super::reader::Reader;
use super::preset;

pub(super) fn power_bi(reader: &mut Reader<'_>, cloud: &Cloud) -> PowerBi {
    // All are read whichever is chosen, so that a misspelt value is told before it is needed.
    let refresh_token = RefreshToken {
        secret_name: reader.secret_name("CAUSEWAY_POWER_BI_REFRESH_TOKEN_SECRET_NAME"),
        proof: match reader.one_of("CAUSEWAY_POWER_BI_REFRESH_TOKEN_PROOF", &["client-secret", "federated", "none"]) {
            "federated" => RefreshTokenProof::Federated,
            "none" => RefreshTokenProof::None,
            _ => RefreshTokenProof::ClientSecret,
        },
        write_after: Duration::from_secs(
            3600 * reader.whole("CAUSEWAY_POWER_BI_REFRESH_TOKEN_HOURS", 0..=720, "hours"),
        ),
    };
    let choices = ["managed-identity", "client-secret", "federated", "refresh-token"];
    let authentication = match reader.one_of("CAUSEWAY_POWER_BI_AUTH", &choices) {
        "client-secret" => PowerBiAuthentication::ClientSecret,
        "federated" => PowerBiAuthentication::Federated,
        "refresh-token" => PowerBiAuthentication::RefreshToken(refresh_token),
        _ => PowerBiAuthentication::ManagedIdentity,
    };
    PowerBi {
        url: reader.origin("CAUSEWAY_POWER_BI_URL").unwrap_or_else(|| preset(cloud.power_bi_url)),
        audience: reader.text("CAUSEWAY_POWER_BI_AUDIENCE").unwrap_or_else(|| cloud.power_bi_audience.to_owned()),
        authentication,
        time_scale: u32::try_from(reader.whole("CAUSEWAY_POWER_BI_TIME_SCALE", 1..=3600, "a factor")).unwrap_or(1),
    }
}
