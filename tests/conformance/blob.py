"""azure-storage-blob and azure-identity, unmodified, against the Blob stand-in.

Facts come as JSON on standard input. Anything unexpected is an exception, which fails the test.
"""

import json
import sys

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.identity import ManagedIdentityCredential
from azure.storage.blob import BlobServiceClient

facts = json.load(sys.stdin)
service = BlobServiceClient(facts["url"], credential=ManagedIdentityCredential(), retry_total=0)

container = service.get_container_client("written-there")
assert not container.exists()
container.create_container()
assert container.exists()
try:
    container.create_container()
    raise AssertionError("a container was made twice")
except ResourceExistsError as error:
    assert error.error_code == "ContainerAlreadyExists", error.error_code

blob = container.get_blob_client("runs/1/00000000")
written = blob.upload_blob(b'{"writer": "python"}', overwrite=False)
try:
    blob.upload_blob(b"another", overwrite=False)
    raise AssertionError("a blob was made twice")
except ResourceExistsError as error:
    assert error.error_code == "BlobAlreadyExists", error.error_code

download = blob.download_blob()
assert download.readall() == b'{"writer": "python"}'
assert blob.download_blob(offset=2, length=6).readall() == b"writer"
properties = blob.get_blob_properties()
assert properties.size == 20 and properties.etag == written["etag"], properties
assert properties.blob_type == "BlockBlob" and properties.last_modified == written["last_modified"]
try:
    blob.upload_blob(b"y", overwrite=True, etag='"0x0"', match_condition=MatchConditions.IfNotModified)
    raise AssertionError("a failed precondition was passed over")
except ResourceModifiedError as error:
    assert error.error_code == "ConditionNotMet", error.error_code

empty = container.get_blob_client("empty")
empty.upload_blob(b"", metadata={"why": "nothing"})
assert empty.download_blob().readall() == b""
assert empty.get_blob_properties().metadata == {"why": "nothing"}

names = [f"list/{n:02}/ä & <b>" for n in range(8)]
for name in names:
    container.upload_blob(name, b"x")
assert list(container.list_blob_names(name_starts_with="list/")) == names
pages = [len(list(page)) for page in container.list_blobs(name_starts_with="list/").by_page()]
assert pages == [3, 3, 2], pages
first = next(iter(container.list_blobs(name_starts_with="runs/")))
assert first.etag == written["etag"].strip('"') and first.size == 20, first
assert sorted(one.name for one in container.walk_blobs()) == ["empty", "list/", "runs/"]

deleted = list(container.delete_blobs(names[1], names[2]))
assert [one.status_code for one in deleted] == [202, 202], deleted
assert list(container.list_blob_names(name_starts_with="list/")) == [names[0], *names[3:]]
mixed = list(container.delete_blobs(names[1], names[3], raise_on_any_failure=False))
assert [one.status_code for one in mixed] == [404, 202], mixed

container.delete_blob(names[0])
try:
    container.delete_blob(names[0])
    raise AssertionError("a blob was deleted twice")
except ResourceNotFoundError as error:
    assert error.error_code == "BlobNotFound", error.error_code
try:
    service.get_blob_client("nowhere", "x").download_blob()
    raise AssertionError("a blob without a container was read")
except ResourceNotFoundError as error:
    assert error.error_code == "ContainerNotFound", error.error_code
assert service.get_container_client("written-here").exists()
