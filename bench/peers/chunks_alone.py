"""The stand-in's own ceiling: runs a statement and takes the bytes of every chunk, LZ4 as Causeway and the kernel ask
for, one after the other, and does nothing with them. What it needs, nobody can undercut."""

import http.client
import json
import os
import sys
import time
from urllib.parse import urlsplit

connections = {}
buffer = bytearray(1 << 20)


def called(method, url, body=None, headers=None, keep=True):
    parts = urlsplit(url)
    connection = connections.get(parts.netloc)
    if connection is None:
        connection = connections[parts.netloc] = http.client.HTTPConnection(parts.netloc)
    path = parts.path + ("?" + parts.query if parts.query else "")
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    if answer.status != 200:
        raise SystemExit(f"{method} {parts.path}: {answer.status} {answer.read()[:600]!r}")
    if keep:
        return json.loads(answer.read())
    size = 0
    while read := answer.readinto(buffer):
        size += read
    return size


def main():
    host = os.environ["DATABRICKS_HOST"] + "/api/2.0/sql/statements"
    headers = {"Authorization": "Bearer " + os.environ["DATABRICKS_TOKEN"], "Content-Type": "application/json"}
    for line in sys.stdin:
        body = {
            "statement": json.loads(line)["statement"],
            "warehouse_id": os.environ["DATABRICKS_WAREHOUSE_ID"],
            "wait_timeout": "30s",
            "disposition": "EXTERNAL_LINKS",
            "format": "ARROW_STREAM",
            "result_compression": "LZ4_FRAME",
        }
        begun, size = time.perf_counter(), 0
        statement = called("POST", host, json.dumps(body), headers)
        links = {link["chunk_index"]: link for link in statement["result"].get("external_links", [])}
        for index in range(statement["manifest"]["total_chunk_count"]):
            if index not in links:
                chunk = called("GET", f"{host}/{statement['statement_id']}/result/chunks/{index}", None, headers)
                links |= {link["chunk_index"]: link for link in chunk["external_links"]}
            link = links[index]
            size += called("GET", link["external_link"], None, link.get("http_headers"), keep=False)
        seconds = time.perf_counter() - begun
        print(json.dumps({"status": 200, "bytes": size, "seconds": seconds, "firstByteSeconds": seconds}), flush=True)


main()
