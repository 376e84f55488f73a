"""arrowbricks without a service: reads jobs on standard input, one a line, and writes the rows where the job says, as its
README shows ("consume ready-to-send NDJSON without building Python rows"), a chunk at a time. No HTTP before it, which
the services have to pay for: the least that its core can cost from Python."""

import asyncio
import json
import os
import sys
import time

from arrowbricks import DatabricksClient


async def main():
    settings = {"host": "DATABRICKS_HOST", "warehouse_id": "DATABRICKS_WAREHOUSE_ID", "token": "DATABRICKS_TOKEN"}
    client = DatabricksClient(protocol="sea", **{name: os.environ[variable] for name, variable in settings.items()})
    while line := await asyncio.to_thread(sys.stdin.readline):
        job = json.loads(line)
        begun, size, first = time.perf_counter(), 0, None
        with open(job["out"], "w", encoding="utf-8", newline="") as out:
            async for lines in client._core_client.stream_ndjson_lines(job["statement"]):
                if isinstance(lines, list) and lines:  # and not a HEARTBEAT
                    first = first or time.perf_counter() - begun
                    lines.append("")
                    size += out.write("\n".join(lines))
        seconds = time.perf_counter() - begun
        print(json.dumps({"status": 200, "bytes": size, "seconds": seconds, "firstByteSeconds": first}), flush=True)


asyncio.run(main())
