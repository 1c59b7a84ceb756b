# SPDX-License-Identifier: MIT
"""An upstream whose answers a test scripts, and a bundle of cases that fetch from it."""

import http.server
import os
import re
import subprocess
import threading

from harness import PATIENCE_S

# The path names one of CASES; what it gives is the answer, an error its text.
BUNDLE = """
const cases = %s;
globalThis.fetchHandler = async (request, env, ctx) => {
  const url = new URL(request.url);
  let result;
  try {
    result = await cases[url.pathname.slice(1)](env.up, request, url, ctx);
  } catch (e) {
    result = { error: e.name, message: e.message, cause: e.cause?.message, host: e.cause?.host };
  }
  return result instanceof Response ? result : Response.json(result ?? null);
};
"""


class Upstream:
    """handlers: path -> function(handler). Requests are noted; connections counted."""

    def __init__(self, handlers):
        self.seen = []
        self.connections = 0
        self.open = 0
        self.news = threading.Condition()
        upstream = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = PATIENCE_S

            def setup(self):
                with upstream.news:
                    upstream.connections += 1
                    upstream.open += 1
                super().setup()

            def finish(self):
                try:
                    super().finish()
                except OSError:
                    pass
                with upstream.news:
                    upstream.open -= 1
                    upstream.news.notify_all()

            def log_message(self, *_):
                pass

            def serve(self):
                self.body = self.read_body()
                with upstream.news:
                    upstream.seen.append(self.path)
                    upstream.news.notify_all()
                try:
                    handlers[self.path.split("?")[0]](self)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = do_PATCH = do_CONNECT = serve

            def read_body(self):
                if self.headers.get("transfer-encoding") == "chunked":
                    body = b""
                    while True:
                        size = int(self.rfile.readline(), 16)
                        body += self.rfile.read(size)
                        self.rfile.readline()
                        if size == 0:
                            return body
                return self.rfile.read(int(self.headers.get("content-length", 0)))

            def answer(self, body=b"", status=200, **headers):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

        class Threads(http.server.ThreadingHTTPServer):
            request_queue_size = 1024

        self.server = Threads(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def wait_for(self, probe, what):
        with self.news:
            assert self.news.wait_for(probe, PATIENCE_S), f"waited in vain: {what}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def serve(ssrd, up, cases, config=None, **more):
    text = "{" + ",".join(f"{name}: {code}" for name, code in cases.items()) + "}"
    whole = {"workers": 1, "env": {"up": up.url if up else ""}, "bundle": {"warmup": []}, "fetch": {"timeout": "1h"}, "render": {"timeout": "1h"}}
    for key, value in (config or {}).items():
        whole[key] = {**whole[key], **value} if isinstance(whole.get(key), dict) else value
    return ssrd(BUNDLE % text, whole, **more)


def metric(server, name):
    text = server.admin("/metrics").text
    return float(re.search(r"^" + re.escape(name) + r" (\S+)$", text, re.M).group(1))


def certificate(folder):
    """-> key, certificate of localhost: files where the workers' user can read the latter."""
    key, cert = os.path.join(folder, "key.pem"), os.path.join(folder, "cert.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    os.chmod(cert, 0o644)
    return key, cert
