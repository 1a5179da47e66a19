"""A real mail server (aiosmtpd), a Standard Webhooks receiver and a receiver of OTLP traces on loopback, for tests/alerts.rs, tests/delivery.rs, tests/webhooks.rs,
tests/serve.rs and tests/invariants/i6_never_late_unseen.rs.

Prints «ready SMTP_PORT HTTP_PORT», then one JSON line for each mail and each post. A line on standard input is another secret to check with; it ends when
that closes. Posts to /broken are answered with 503, to
/gone with 410, to /refuses with 400; everything else with 204. Posts to /v1/traces are read with
OpenTelemetry's own definitions (PyPI `opentelemetry-proto`). Signatures are checked with the PyPI package `standardwebhooks`; «fresh» says whether its check of the time passed
too (tests in virtual time cannot pass it).
"""

import datetime
import email
import email.policy
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aiosmtpd.controller import Controller
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

secret = sys.argv[1]
lock = threading.Lock()


def say(**what):
    with lock:
        print(json.dumps(what), flush=True)


class Mails:
    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        say(way="email", to=envelope.rcpt_tos, subject=mail["subject"], id=mail["message-id"], date=mail["date"], body=mail.get_content())
        return "250 OK"


class Hooks(BaseHTTPRequestHandler):
    def take_traces(self, body):
        """One line for each span, with what it says of itself and of where it stands."""
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            of = {a.key: a.value.string_value for a in resource.resource.attributes}
            for span in (span for scope in resource.scope_spans for span in scope.spans):
                attributes = {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in span.attributes}
                events = [event.name for event in span.events]
                say(way="trace", service=of.get("service.name"), name=span.name, kind=span.kind, id=span.span_id.hex(), parent=span.parent_span_id.hex(), attributes=attributes, events=events)
        answer = ExportTraceServiceResponse().SerializeToString()
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/v1/traces":
            return self.take_traces(body)
        body = body.decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        hook = Webhook(secret)
        at = datetime.datetime.fromtimestamp(int(headers["webhook-timestamp"]), tz=datetime.timezone.utc)
        signed = hook.sign(headers["webhook-id"], at, body) in headers["webhook-signature"].split(" ")
        try:
            hook.verify(body, headers)
            fresh = True
        except WebhookVerificationError:
            fresh = False
        status = {"/broken": 503, "/gone": 410, "/refuses": 400}.get(self.path, 204)
        say(way="webhook", path=self.path, id=headers["webhook-id"], signed=signed, fresh=fresh, body=json.loads(body))
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


# port=0 would make aiosmtpd look for itself at port 0, so a free one is looked up first.
import socket

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    smtp_port = probe.getsockname()[1]
smtp = Controller(Mails(), hostname="127.0.0.1", port=smtp_port)
smtp.start()
hooks = ThreadingHTTPServer(("127.0.0.1", 0), Hooks)
threading.Thread(target=hooks.serve_forever, daemon=True).start()
print("ready", smtp_port, hooks.server_address[1], flush=True)
for line in sys.stdin:
    secret = line.strip()
smtp.stop()
hooks.shutdown()
