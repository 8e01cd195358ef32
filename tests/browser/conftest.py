"""A real browser on real pages: Debian's Chromium, driven by playwright-core out of tests/browser/node_modules."""

import contextlib
import functools
import http.server
import json
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NEEDED = ("playwright-core", "axe-core", "video.js", "webvtt-parser")


def missing() -> str:
    """What is missing for these tests; empty if nothing is."""
    programs = [name for name in ("chromium", "node") if shutil.which(name) is None]
    packages = [name for name in NEEDED if not (HERE / "node_modules" / name).is_dir()]
    if programs:
        return f"no {' and no '.join(programs)} (apt-get install chromium nodejs npm)"
    return f"no {packages[0]} (npm install --prefix tests/browser)" if packages else ""


def pytest_collection_modifyitems(items):
    reason = missing()
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def drive():
    """`drive("review", url, ...)`: what a scenario of drive.mjs saw."""

    def run(scenario, url, **options):
        given = json.dumps({"url": url, "chromium": shutil.which("chromium"), **options})
        line = ["node", str(HERE / "drive.mjs"), scenario, given]
        done = subprocess.run(line, capture_output=True, text=True, timeout=400, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.strip("\n").rsplit("\n", 1)[-1])  # a text may hold other line ends

    return run


class _Server(http.server.SimpleHTTPRequestHandler):
    """Files of a folder, with the ranges that a player seeks by, and without a word."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        asked = self.headers.get("Range", "")
        if not asked or not path.is_file():
            return super().do_GET()
        data = path.read_bytes()
        first, _, last = asked.removeprefix("bytes=").partition("-")
        part = data[int(first) : int(last) + 1 if last else None]
        self.send_response(206)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Range", f"bytes {first}-{int(first) + len(part) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(part)
        return None


@pytest.fixture
def served():
    """`served(folder)`: the address of a folder on this machine."""
    servers = []

    def start(folder):
        handler = functools.partial(_Server, directory=str(folder))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
