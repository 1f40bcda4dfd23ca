"""A web server on 127.0.0.1 that misbehaves as asked, and other processes that use it, for the tests of downloads."""

import contextlib
import dataclasses
import functools
import hashlib
import http.server
import os
import pathlib
import socket
import subprocess
import sys
import textwrap
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent


class Server(http.server.ThreadingHTTPServer):
    """Serves `files`, path → bytes. `plan`: what to do with each request in turn, the last for all further ones.

    A step is a dict: status, cut (bytes after which the connection is closed), ranges (False: ignored), begin (another
    offset than the one asked for), length (False: none is said), type (of the content), silent ("at once", or "later":
    after the headers and `cut` bytes), delay (seconds between pieces of 64 KB), location (a redirect). `seen` holds
    each request's path and Range, `encodings` which it takes, `sent` counts bytes.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, files, plan=()):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.plan, self.seen, self.encodings = dict(files), list(plan), [], []
        self.sent, self.tag = 0, '"1"'
        self.closing = threading.Event()

    def url(self, path):
        return f"http://127.0.0.1:{self.server_port}{path}"

    def step(self):
        return (self.plan.pop(0) if len(self.plan) > 1 else self.plan[0]) if self.plan else {}

    def handle_error(self, request, client_address):
        pass  # a client that was killed


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        server, asked = self.server, self.headers.get("Range")
        server.seen.append((self.path, asked))
        server.encodings.append(self.headers.get("Accept-Encoding"))
        step = server.step()
        if step.get("silent") == "at once":
            server.closing.wait(30)
            return
        if "location" in step:
            self.send_response(302)
            self.send_header("Location", step["location"])
            self.end_headers()
            return
        data = server.files.get(self.path)
        status = step.get("status", 200 if data is not None else 404)
        if status >= 400:
            self.send_error(status)
            return
        start = 0
        if asked and step.get("ranges", True) and self.headers.get("If-Range", server.tag) == server.tag:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            start, status = step.get("begin", start), 206
        self.send_response(status)
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        if server.tag:
            self.send_header("ETag", server.tag)
        if "type" in step:
            self.send_header("Content-Type", step["type"])
        if step.get("length", True):
            self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        body = data[start : step.get("cut")]
        for i in range(0, len(body), 1 << 16):
            self.wfile.write(body[i : i + (1 << 16)])
            server.sent += len(body[i : i + (1 << 16)])
            time.sleep(step.get("delay", 0))
        if step.get("silent") == "later":
            server.closing.wait(30)
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


def cut_off(monkeypatch):
    """Whatever proxy and network this machine has: the tests speak with 127.0.0.1, and no name is found."""
    real = socket.getaddrinfo

    def look_up(host, *arguments, **options):
        if host != "127.0.0.1":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    for name in "http_proxy", "https_proxy", "all_proxy":
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def empty_zoo(model_store, tmp_path, monkeypatch):
    """An empty folder for weights, where Gluon's or GluonCV's zoo looks; its `model_store` fails if it downloads."""
    from utils.fetch import download, weights

    def forbidden(*args, **options):
        raise AssertionError(f"{model_store.__name__}'s own download ran")

    cut_off(monkeypatch)
    monkeypatch.setattr(download, "TIMEOUT", (1, 1))
    monkeypatch.setattr(download, "PAUSE", 0.01)
    monkeypatch.setattr(weights, "zoo_folder", lambda: tmp_path / "models")
    monkeypatch.setattr(model_store, "download", forbidden)
    return tmp_path / "models"


@contextlib.contextmanager
def serving(files, plan=()):
    server = Server(files, plan)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def small_voc(url, archive, pairs):
    """VOC2012 as the course knows it, but from another address, with other bytes and numbers of names."""
    from utils.data import sources
    from utils.fetch import download

    check = functools.partial(download.check_sha1, sha1=hashlib.sha1(archive).hexdigest(), size=len(archive))
    return dataclasses.replace(sources.VOC2012, urls=(url,), check=check, size=len(archive), pairs=pairs)


START = """
import pathlib, sys, types
utils = sys.modules["utils"] = types.ModuleType("utils")  # a door without MXNet and its seconds
utils.__path__ = [sys.argv.pop(1)]
from serving import small_voc
from utils.core.console import Log
from utils.data import sources
from utils.core import files
from utils.fetch import download
download.TIMEOUT, download.PAUSE = (1, 5), 0.01
"""


def python(code, *arguments, **options):
    """Another Python that runs `code`, with what fetches data sets and its arguments; a Popen."""
    command = [sys.executable, "-c", START + textwrap.dedent(code), HERE.parent / "utils", *arguments]
    settings = os.environ | {"PYTHONPATH": str(HERE)}
    pipe = subprocess.PIPE
    return subprocess.Popen(list(map(str, command)), stdout=pipe, stderr=pipe, text=True, env=settings, **options)
