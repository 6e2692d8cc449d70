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
from types import SimpleNamespace
from urllib.parse import urlsplit

from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import reads

SIGNATURE = "signed-address-0badc0de"
STORAGE = f"http://storage.invalid/archive.zip?X-Goog-Signature={SIGNATURE}"
USER = "student"


class KaggleStub:
    """Serves `archive`, bytes; what it shall do wrong is set by attribute.

    token_status     answer to the question whether the token is good
    download_status  answer to the request for the dataset
    stop_after       bytes of the file after which a transfer stops; None for none
    stall            whether it then keeps the connection open, else it cuts it
    down             whether the file's server cuts every connection at once
    ranges, sent     of every transfer of the file: Range header, bytes sent

    What is uploaded and pushed is kept, by name as in its address, ``student/…``:

    datasets         versions of each dataset, each a dict of file name to bytes
    dataset_states   what Kaggle says of a dataset, one answer after the other, the last for ever
    upload_status    answer to the upload of a file
    kernels          the request that pushed each notebook last, and its status, failure, files, log
    refusals         (status, content) of the answer to a push, by name; any name for None
    silent           whether every connection but that for the sign-in is cut
    runner           called with each kernel that is pushed, in a thread; see Machine
    """

    def __init__(self, archive):
        self.archive = archive
        self.etag = '"first"'
        self.token_status = self.download_status = 200
        self.stop_after, self.stall, self.down = None, False, False
        self.calls, self.ranges, self.sent = [], [], []
        self.datasets, self.dataset_states, self.upload_status = {}, ["READY"], 200
        self.kernels, self.refusals, self.silent, self.runner = {}, {}, False, None
        self.blobs, self.runs = {}, []
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
            "TMPDIR": str(home),  # where the package remembers uploads
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
        asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "{}")
        self.stub.calls.append(self.path)
        method = self.path.rsplit("/", 1)[1]
        if self.stub.silent and method != "IntrospectToken":
            self.close_connection = True
        elif method == "DownloadDataset":
            self._download_dataset()
        elif answer := getattr(self, f"_{method}", None):
            self._json(*answer(asked))
        else:
            self._json(404, {})

    def _IntrospectToken(self, asked):
        return self.stub.token_status, {"active": True, "username": USER}

    def _download_dataset(self):
        if self.stub.download_status != 200:
            return self._json(self.stub.download_status, {})
        self.send_response(302)
        self.send_header("Location", STORAGE)
        self.send_header("Content-Length", "0")
        self.end_headers()

    # Datasets

    def _GetDatasetStatus(self, asked):
        if f"{asked['ownerSlug']}/{asked['datasetSlug']}" not in self.stub.datasets:
            return 403, {"code": 403, "message": "Permission 'datasets.get' was denied"}
        states = self.stub.dataset_states
        return 200, {"status": states.pop(0) if len(states) > 1 else states[0]}

    def _StartBlobUpload(self, asked):
        token = f"blob-{len(self.stub.blobs)}"
        self.stub.blobs[token] = asked["name"], b""
        return 200, {"token": token, "createUrl": f"http://storage.invalid/upload/{token}"}

    def do_PUT(self):
        token = self.path.rsplit("/", 1)[1]
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.stub.blobs[token] = self.stub.blobs[token][0], content
        self._json(self.stub.upload_status, {})

    def _CreateDataset(self, asked):
        return self._add_version(f"{asked['ownerSlug']}/{asked['slug']}", asked)

    def _CreateDatasetVersion(self, asked):
        return self._add_version(f"{asked['ownerSlug']}/{asked['datasetSlug']}", asked["body"])

    def _add_version(self, name, asked):
        if refusal := self.stub.refusals.get(name):
            return refusal
        files = dict(self.stub.blobs[file["token"]] for file in asked.get("files", []))
        if not files:
            return 200, {"status": "error", "error": "No files uploaded"}
        self.stub.datasets.setdefault(name, []).append(files)
        return 200, {"status": "ok", "url": f"https://www.kaggle.com/datasets/{name}"}

    # Kernels

    def _SaveKernel(self, asked):
        stub, name = self.stub, asked["slug"]
        refused = stub.refusals.get(name) or stub.refusals.get(None)
        if refused and "invalidDatasetSources" not in refused[1]:
            return refused
        kernel = SimpleNamespace(request=asked, status="COMPLETE", failure="", files={}, log="")
        stub.kernels[name] = kernel
        if stub.runner:
            kernel.status = "QUEUED"
            stub.runs.append(threading.Thread(target=stub.runner, args=(kernel,), daemon=True))
            stub.runs[-1].start()
        more = refused[1] if refused else {}
        return 200, {"versionNumber": 1, "url": f"https://www.kaggle.com/code/{name}", **more}

    def _kernel(self, asked):
        return self.stub.kernels.get(f"{asked['userName']}/{asked['kernelSlug']}")

    def _GetKernelSessionStatus(self, asked):
        if not (kernel := self._kernel(asked)):
            return 403, {"code": 403, "message": "Permission 'kernels.get' was denied"}
        return 200, {"status": kernel.status, "failureMessage": kernel.failure}

    def _ListKernelSessionOutput(self, asked):
        """One file a page, as Kaggle has twenty."""
        kernel = self._kernel(asked)
        names, page = sorted(kernel.files), int(asked.get("pageToken") or 0)
        place = f"http://storage.invalid/output/{asked['userName']}/{asked['kernelSlug']}"
        files = [{"fileName": n, "url": f"{place}/{n}"} for n in names[page : page + 1]]
        more = str(page + 1) if page + 1 < len(names) else ""
        return 200, {"files": files, "log": kernel.log, "nextPageToken": more}

    def _output(self):
        _, _, owner, slug, name = urlsplit(self.path).path.split("/", 4)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.stub.kernels[f"{owner}/{slug}"].files[name])

    def do_GET(self):
        stub = self.stub
        if self.path.startswith("http://storage.invalid/output/"):
            return self._output()
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


class Machine:
    """Runs pushed notebooks for real, as Kaggle's machines do: to the first error, and no further.

    Parameters
    ----------
    python : path
        The interpreter whose kernel runs them.
    folder : Path
        Stands for ``/kaggle``: datasets lie in ``input``, a run works in ``working``.
    stub : KaggleStub
        Whose datasets a notebook is given.
    """

    def __init__(self, python, folder, stub):
        self.python, self.folder, self.stub = python, folder, stub

    def __call__(self, kernel):
        kernel.status = "RUNNING"
        work = self.folder / "working"
        work.mkdir(parents=True)
        self._mount(kernel.request["datasetDataSources"])
        notebook = reads(kernel.request["text"], as_version=4)
        first = next(cell for cell in notebook.cells if cell.cell_type == "code")
        assert '"/kaggle/input/**/' in first.source, "the notebook looks for no wheel"
        first.source = first.source.replace("/kaggle/input", str(self.folder / "input"))
        try:
            self._execute(notebook, work)
        except CellExecutionError as error:
            kernel.failure, ending = "Your notebook tried to do something wrong", "ERROR"
            kernel.log = json.dumps([{"stream_name": "stderr", "time": 1.0, "data": str(error)}])
        else:
            ending = "COMPLETE"
        kernel.files = {p.name: p.read_bytes() for p in work.iterdir() if p.is_file()}
        kernel.status = ending

    def _mount(self, names):
        for name in names:
            place = self.folder / "input" / name.split("/")[1]
            place.mkdir(parents=True)
            for file, content in self.stub.datasets[name][-1].items():
                (place / file).write_bytes(content)

    def _execute(self, notebook, work):
        kept = ("PATH", "LANG", "LD_LIBRARY_PATH", "TF_CPP_MIN_LOG_LEVEL")
        environment = {name: os.environ[name] for name in kept if name in os.environ}
        environment |= {"HOME": str(self.folder), "KAGGLE_KERNEL_RUN_TYPE": "Batch"}
        environment |= {"JUPYTER_PLATFORM_DIRS": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
        kernel = AsyncKernelManager(
            kernel_name="python3", kernel_spec_manager=_Interpreter(python=self.python)
        )
        client = NotebookClient(notebook, km=kernel, record_timing=False)
        with client.setup_kernel(cleanup_kc=True, cwd=str(work), env=environment):
            for index, cell in enumerate(notebook.cells):
                client.execute_cell(cell, index)


class _Interpreter(KernelSpecManager):
    """Starts the kernel of the interpreter `python`."""

    def __init__(self, python, **named):
        super().__init__(**named)
        self.python = python

    def get_kernel_spec(self, kernel_name):
        argv = [str(self.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")
