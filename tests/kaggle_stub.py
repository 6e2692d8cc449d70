"""A Kaggle of our own on the loopback, for the real ``kaggle`` package to talk to.

With ``KAGGLE_API_ENVIRONMENT=LOCALHOST`` the package calls
``http://localhost/api/v1/...``; the proxy variables send that, and the
storage address it is redirected to, here.
"""

import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SIGNATURE = "signed-address-0badc0de"
STORAGE = f"http://storage.invalid/archive.zip?X-Goog-Signature={SIGNATURE}"


class KaggleStub:
    """Serves `archive`, bytes; what it shall do wrong is set by attribute.

    token_status     answer to the question whether the token is good
    download_status  answer to the request for the dataset
    stop_after       bytes of the file after which a transfer stops; None for none
    stall            whether it then keeps the connection open, else it cuts it
    down             whether the file's server cuts every connection at once
    ranges, sent     of every transfer of the file: Range header, bytes sent
    """

    def __init__(self, archive):
        self.archive = archive
        self.etag = '"first"'
        self.token_status = self.download_status = 200
        self.stop_after, self.stall, self.down = None, False, False
        self.calls, self.ranges, self.sent = [], [], []
        self._closing = threading.Event()

    def __enter__(self):
        handler = type("Handler", (_Handler,), {"stub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def environment(self, home, **credentials):
        """Variables for a child process: this stub for Kaggle, `home` for home, no other credentials."""
        proxy = f"http://127.0.0.1:{self._server.server_port}"
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.upper().startswith(("KAGGLE", "XDG_", "VERBOSE"))
            and not name.upper().endswith("_PROXY")
        }
        return {
            **inherited,
            "HOME": str(home),
            "PYTHONPATH": os.pathsep.join(
                [str(Path(__file__).parents[1]), *filter(None, sys.path)]
            ),
            "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
            **{name: proxy for name in ("HTTP_PROXY", "http_proxy")},
            **{name: "" for name in ("NO_PROXY", "no_proxy")},
            **credentials,
        }


class _Handler(BaseHTTPRequestHandler):
    stub: KaggleStub

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.stub.calls.append(self.path)
        if self.path.endswith("/IntrospectToken"):
            self._json(self.stub.token_status, {"active": True, "username": "student"})
        elif self.path.endswith("/DownloadDataset"):
            if self.stub.download_status != 200:
                return self._json(self.stub.download_status, {})
            self.send_response(302)
            self.send_header("Location", STORAGE)
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._json(404, {})

    def do_GET(self):
        stub = self.stub
        if self.path != STORAGE:
            return self._json(404, {})
        asked = self.headers.get("Range")
        whole = asked is None or self.headers.get("If-Range", stub.etag) != stub.etag
        start = 0 if whole else int(asked.removeprefix("bytes=").removesuffix("-"))
        body = memoryview(stub.archive)[start:]
        stub.ranges.append(asked)
        stub.sent.append(0)
        self.close_connection = True
        if stub.down:
            return None
        self.send_response(200 if whole else 206)
        self.send_header("Content-Type", "application/zip")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", stub.etag)
        self.send_header("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")
        if not whole:
            self.send_header(
                "Content-Range", f"bytes {start}-{len(stub.archive) - 1}/{len(stub.archive)}"
            )
        self.end_headers()
        part = body[: stub.stop_after]
        self.wfile.write(part)
        stub.sent[-1] = len(part)
        if stub.stop_after is not None:
            stub.down = not stub.stall
            if stub.stall:
                stub._closing.wait(30)

    def _json(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Requests are looked at in the stub's lists."""
