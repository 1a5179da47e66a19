#!/usr/bin/env python3
"""A scoring step in small: fetches every version that has no verdict yet, checks it, takes it or rejects it.

    FIELDWORKD_TOKEN=… examples/scoring_consumer.py --api https://fieldworkd.example --key key.pem --into scored [--listen PORT]

Checked are: the hash of every file (SHA256SUMS), the signature of the manifest (openssl, with the public key that «fieldworkd signing-key show» prints), the
manifest and the tables against their schemas (jsonschema, frictionless). What is good is moved into --into/APPLICATION/VERSION, whole or not at all, and only
then acknowledged: if this program dies in between, it finds the folder there and acknowledges it the next time. With --listen it goes on when a signed webhook
(Standard Webhooks; its secret in FIELDWORKD_WEBHOOK_SECRET) says that there is something new; else it looks once.

Needs: pip install frictionless jsonschema standardwebhooks; openssl.
"""

import argparse
import base64
import hashlib
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

import frictionless
import jsonschema
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

MANIFEST_SCHEMA = pathlib.Path(__file__).parent.parent / "docs" / "schemas" / "manifest.schema.json"


class Rejected(Exception):
    """Why a version cannot be scored; said to fieldworkd as the reason."""


def call(url, token, body=None):
    request = urllib.request.Request(url, data=None if body is None else json.dumps(body).encode())
    request.add_header("authorization", f"Bearer {token}")
    if body is not None:
        request.add_header("content-type", "application/json")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


def fetch(version, token, folder):
    files = json.loads(call(version["url"], token))["files"]
    for name in files:
        (folder / name).write_bytes(call(f"{version['url']}/files/{name}", token))


def check(folder, version, key):
    """Raises Rejected with what is wrong; returns the hash to acknowledge."""
    sums = (folder / "SHA256SUMS").read_bytes()
    if hashlib.sha256(sums).hexdigest() != version["sha256"]:
        raise Rejected("SHA256SUMS is not the one that was announced")
    for line in sums.decode().splitlines():
        expected, name = line.split("  ")
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != expected:
            raise Rejected(f"{name}: its hash is not that of SHA256SUMS")
    with tempfile.NamedTemporaryFile() as signature:
        signature.write(base64.b64decode((folder / "manifest.json.sig").read_text()))
        signature.flush()
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", key, "-rawin", "-in", str(folder / "manifest.json"), "-sigfile", signature.name]
        if subprocess.run(command, capture_output=True).returncode != 0:
            raise Rejected("the manifest is not signed with the key that we know")
    manifest = json.loads((folder / "manifest.json").read_text())
    try:
        jsonschema.Draft202012Validator(json.loads(MANIFEST_SCHEMA.read_text())).validate(manifest)
    except jsonschema.ValidationError as error:
        raise Rejected(f"manifest.json: {error.message}") from error
    report = frictionless.validate(str(folder / "datapackage.json"))
    if not report.valid:
        raise Rejected(f"the tables are not what their schema says: {report.flatten(['title', 'rowNumber', 'fieldName'])[:3]}")
    return version["sha256"]


def take(version, token, key, into):
    """Takes one version; safe to be begun again at any point."""
    name = version["url"].rsplit("/", 1)[1]
    target = into / version["application"] / name
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = pathlib.Path(tempfile.mkdtemp(dir=into))
        try:
            fetch(version, token, scratch)
            check(scratch, version, key)
            os.rename(scratch, target)
        except Rejected as reason:
            call(version["url"] + "/verdict", token, {"accepted": False, "reason": str(reason), "sha256": version["sha256"]})
            print(f"rejected {version['application']} {name}: {reason}", flush=True)
            return
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        # Here the scoring itself would begin: once, because the folder is new.
        print(f"scored {version['application']} {name}", flush=True)
    call(version["url"] + "/verdict", token, {"accepted": True, "sha256": version["sha256"]})
    print(f"acknowledged {version['application']} {name}", flush=True)


def look(api, token, key, into):
    for version in json.loads(call(f"{api}/api/v1/datasets", token))["items"]:
        if version["verdict"] is None:
            take(version, token, key, into)


def listen(port, secret, new):
    class Hooks(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            try:
                Webhook(secret).verify(body, {name.lower(): value for name, value in self.headers.items()})
                new()
                status = 204
            except WebhookVerificationError:
                status = 401
            except (OSError, urllib.error.URLError) as error:
                print(f"not now: {error}", file=sys.stderr)
                status = 503
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", port), Hooks)
    print(f"listening on {server.server_address[1]}", flush=True)
    server.serve_forever()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--api", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--into", required=True, type=pathlib.Path)
    parser.add_argument("--listen", type=int)
    arguments = parser.parse_args()
    token = os.environ["FIELDWORKD_TOKEN"]
    arguments.into.mkdir(parents=True, exist_ok=True)
    new = lambda: look(arguments.api, token, arguments.key, arguments.into)
    new()
    if arguments.listen is not None:
        listen(arguments.listen, os.environ["FIELDWORKD_WEBHOOK_SECRET"], new)


if __name__ == "__main__":
    main()
