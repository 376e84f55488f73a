"""azure-keyvault-secrets and azure-identity, unmodified, against the Key Vault and Entra stand-ins.

Facts come as JSON on standard input. Anything unexpected is an exception, which fails the test.
"""

import json
import sys

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.identity import ClientSecretCredential, ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient

facts = json.load(sys.stdin)


def client(credential):
    # The challenge names vault.azure.net, and this vault is on loopback.
    return SecretClient(facts["url"], credential, verify_challenge_resource=False, retry_total=0)


def by_secret(secret):
    return ClientSecretCredential(
        facts["tenantId"],
        facts["clientId"],
        secret,
        authority=facts["authority"],
        disable_instance_discovery=True,
    )


for credential in (ManagedIdentityCredential(), by_secret(facts["clientSecret"])):
    secret = client(credential).get_secret("written-here")
    assert secret.value == "from the stand-in", secret.value
    assert secret.properties.version == facts["version"], secret.properties.version
    assert secret.properties.enabled

vault = client(ManagedIdentityCredential())
first = vault.set_secret("written-there", "first", content_type="text/plain", tags={"a": "b"})
assert first.properties.content_type == "text/plain" and first.properties.tags == {"a": "b"}
second = vault.set_secret("written-there", "second")
assert vault.get_secret("written-there").value == "second"
assert vault.get_secret("written-there", first.properties.version).value == "first"
versions = [one.version for one in vault.list_properties_of_secret_versions("written-there")]
assert versions == [first.properties.version, second.properties.version], versions
assert "written-there" in [one.name for one in vault.list_properties_of_secrets()]

try:
    vault.get_secret("nowhere")
    raise AssertionError("a missing secret was found")
except ResourceNotFoundError as error:
    assert error.error.code == "SecretNotFound", error.error.code

try:
    vault.get_secret("disabled")
    raise AssertionError("a disabled secret was read")
except HttpResponseError as error:
    assert error.status_code == 403, error.status_code

try:
    client(by_secret("wrong")).get_secret("written-here")
    raise AssertionError("a wrong client secret was taken")
except ClientAuthenticationError as error:
    assert "AADSTS7000215" in str(error), error
