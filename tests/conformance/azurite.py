"""The ledger's own suite over Azurite: HTTPS with a throw-away certificate, OAuth tokens, nothing kept.

Installs Azurite with npm into a temporary folder, starts its blob service, runs `cargo test --lib -- ledger::` against it and
stops it. Needs npm, node, openssl and cargo; leaves with 77 (skipped, as automake has it) when npm is not there.

    python3 tests/conformance/azurite.py [--version 3.37.0] [arguments for the tests]
"""

import argparse
import base64
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

ACCOUNT = "devstoreaccount1"


def certificates(folder: Path) -> None:
    """An authority, and a certificate of its own for loopback: a server's certificate may not be an authority's."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-keyout", "ca.key", "-out", "ca.pem",
            "-subj", "/CN=throw-away authority")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=127.0.0.1")
    (folder / "extensions").write_text("subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "1",
            "-extfile", "extensions", "-out", "server.pem")


def token() -> str:
    """What `--oauth basic` looks at: audience, issuer and times; never the signature (Azurite's README)."""

    def part(value: dict) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    now = int(time.time())
    claims = {
        "aud": "https://storage.azure.com",
        "iss": f"https://sts.windows.net/{uuid.uuid4()}/",
        "iat": now - 60, "nbf": now - 60, "exp": now + 3600,
    }
    return ".".join([part({"alg": "RS256", "typ": "JWT"}), part(claims), "c2lnbmF0dXJl"])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port: int, authority: Path, server: subprocess.Popen, log: Path) -> None:
    context = ssl.create_default_context(cafile=str(authority))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if server.poll() is not None:
            sys.exit(f"Azurite has ended:\n{log.read_text()}")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as plain:
                with context.wrap_socket(plain, server_hostname="127.0.0.1"):
                    return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"Azurite does not listen:\n{log.read_text()}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--version", default="3.37.0")
    options, arguments = parser.parse_known_args()
    if shutil.which("npm") is None:
        print("npm is not there: skipped", file=sys.stderr)
        return 77
    root = Path(__file__).resolve().parents[2]
    with tempfile.TemporaryDirectory(prefix="azurite-") as name:
        folder = Path(name)
        install = ["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", name, f"azurite@{options.version}"]
        subprocess.run(install, check=True)
        certificates(folder)
        port, log = free_port(), folder / "azurite.log"
        with log.open("w") as out:
            server = subprocess.Popen(
                [str(folder / "node_modules/.bin/azurite-blob"), "--blobHost", "127.0.0.1", "--blobPort", str(port),
                 "--cert", str(folder / "server.pem"), "--key", str(folder / "server.key"), "--oauth", "basic",
                 "--inMemoryPersistence", "--disableTelemetry"],
                stdout=out, stderr=subprocess.STDOUT, cwd=folder,
            )
        try:
            wait_for(port, folder / "ca.pem", server, log)
            environment = {
                **os.environ,
                "CAUSEWAY_AZURITE_ACCOUNT_URL": f"https://127.0.0.1:{port}/{ACCOUNT}",
                "CAUSEWAY_AZURITE_TOKEN": token(),
                "SSL_CERT_FILE": str(folder / "ca.pem"),
            }
            # cargo itself must still trust the world: it is built first.
            build = ["cargo", "test", "--lib", "--package", "causeway", "--no-run", "--message-format", "json"]
            built = subprocess.run(build, cwd=root, check=True, capture_output=True, text=True)
            programs = [json.loads(line) for line in built.stdout.splitlines() if line.startswith("{")]
            program = next(p["executable"] for p in reversed(programs) if p.get("executable"))
            tests = [program, "ledger::", *arguments]
            outcome = subprocess.run(tests, cwd=root, env=environment).returncode
            requests = sum(" HTTP/1.1\"" in line for line in log.read_text().splitlines())
            print(f"Azurite {options.version} answered {requests} requests")
            return outcome or (1 if requests == 0 else 0)
        finally:
            server.terminate()
            server.wait(timeout=10)


if __name__ == "__main__":
    sys.exit(main())
