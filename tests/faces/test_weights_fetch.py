"""Fetching the weights, against a server of our own that breaks off, forgets ranges and changes the file."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from faceage_bio.core.errors import WeightsError
from faceage_bio.faces.vision.fetch import fetch

CONTENT = bytes(range(256)) * 8000


class Server(ThreadingHTTPServer):
    content = CONTENT
    etag = '"one"'
    ranges = True
    break_after = None
    length = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/faceage_model.h5"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server: Server = self.server
        wanted = self.headers.get("Range")
        server.asked.append(wanted)
        if not self.path.endswith("faceage_model.h5"):
            self.send_error(404)
            return
        start = 0
        valid = self.headers.get("If-Range") in (None, server.etag)
        if wanted and server.ranges and valid:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(server.content):
                self.send_error(416)
                return
        body = server.content[start:]
        self.send_response(206 if start else 200)
        if server.length:
            self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", server.etag)
        self.end_headers()
        self.wfile.write(body if server.break_after is None else body[: server.break_after])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with Server() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def test_fetches_once_and_records_the_hash(server, tmp_path):
    seen = []
    path, digest = fetch(server.url, tmp_path, lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert len(digest) == 64
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert fetch(server.url, tmp_path) == (path, digest)
    assert len(server.asked) == 1


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no_ranges"])
def test_goes_on_where_it_broke_off(server, tmp_path, ranges):
    server.ranges = ranges
    server.break_after = 700_000
    with pytest.raises(WeightsError, match="Call again to go on"):
        fetch(server.url, tmp_path)
    assert not (tmp_path / "faceage_model.h5").exists()
    server.break_after = None
    path, _ = fetch(server.url, tmp_path)
    assert path.read_bytes() == CONTENT
    assert server.asked == [None, "bytes=700000-"]
    assert sorted(item.name for item in tmp_path.iterdir()) == ["faceage_model.h5", "faceage_model.h5.json"]


def test_a_file_that_changed_meanwhile_is_not_mixed(server, tmp_path):
    server.break_after = 500_000
    with pytest.raises(WeightsError, match="the download broke off after 500,000 of"):
        fetch(server.url, tmp_path)
    server.break_after, server.content, server.etag = None, CONTENT[::-1], '"two"'
    path, _ = fetch(server.url, tmp_path)
    assert path.read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize(
    ("url", "message"),
    [("{}.gone", "the server answered 404"), ("http://127.0.0.1:9/faceage_model.h5", "broke off")],
)
def test_a_missing_file_and_no_connection_are_told(server, tmp_path, url, message):
    with pytest.raises(WeightsError, match=message):
        fetch(url.format(server.url), tmp_path)


def test_a_kept_file_that_changed_is_told(server, tmp_path):
    path, _ = fetch(server.url, tmp_path)
    path.write_bytes(b"something else")
    with pytest.raises(WeightsError, match="changed since it was fetched"):
        fetch(server.url, tmp_path)


def test_another_file_than_the_hash_says_is_not_kept(server, tmp_path):
    message = r"SHA-256 [0-9a-f]{64}. Expected 0000. Do not use the file; look at its"
    with pytest.raises(WeightsError, match=message):
        fetch(server.url, tmp_path, sha256="0000")
    assert list(tmp_path.iterdir()) == []
    path, digest = fetch(server.url, tmp_path)
    assert fetch(server.url, tmp_path, sha256=digest.upper()) == (path, digest)
    with pytest.raises(WeightsError, match="Do not use the file"):
        fetch(server.url, tmp_path, sha256="0000")


def test_a_file_without_end_stops_at_the_limit(server, tmp_path, monkeypatch):
    monkeypatch.setattr("faceage_bio.faces.vision.fetch.LARGEST", 1_000_000)
    told = r"bytes or more. Expected weights of at most 1,000,000. Check the address; a larger"
    with pytest.raises(WeightsError, match=told):
        fetch(server.url, tmp_path)
    assert list(tmp_path.iterdir()) == []
    server.length = False  # a server that does not say how much will come
    with pytest.raises(WeightsError, match=told):
        fetch(server.url, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_release_of_another_size_is_told(server, tmp_path, monkeypatch):
    monkeypatch.setattr("faceage_bio.faces.vision.fetch.RELEASE", server.url)
    message = r"2,048,000 bytes came. Expected the 92,098,832 of the authors' release. Fetch"
    with pytest.raises(WeightsError, match=message):
        fetch(server.url, tmp_path)
    assert list(tmp_path.iterdir()) == []
