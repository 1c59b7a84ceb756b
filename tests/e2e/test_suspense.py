# SPDX-License-Identifier: MIT
"""React 19's renderToReadableStream: the shell of a page is with its reader before the part that waits for a back end is made. The back
end is the test's own, and answers when the test says so."""

import http.server
import os
import shutil
import sys
import threading
import zlib

import pytest

import harness

sys.path.insert(0, os.path.join(harness.ROOT, "tests", "frameworks"))
import proof  # noqa: E402  (found through the line above)


class Backend:
    """Answers a path when it is released, with a text that names it."""

    def __init__(self):
        self.news = threading.Condition()
        self.asked, self.released = [], set()
        backend = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                with backend.news:
                    backend.asked.append(self.path)
                    backend.news.notify_all()
                    backend.news.wait_for(lambda: self.path in backend.released, harness.PATIENCE_S)
                body = f"late text of {self.path}".encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def wait_asked(self, path):
        with self.news:
            assert self.news.wait_for(lambda: path in self.asked, harness.PATIENCE_S), f"{path} was not asked for"

    def release(self, path):
        with self.news:
            self.released.add(path)
            self.news.notify_all()

    def close(self):
        self.release(None)
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def backend():
    made = Backend()
    yield made
    made.close()


def serve(ssrd, backend, control="max-age=60", **config):
    folder = proof.make("react", harness.BUILD)
    return ssrd(None, {"bundle": {"path": os.path.join(folder, "dist", "suspense.mjs"), "warmup": []},
                       "env": {"API": backend.url, "CONTROL": control},
                       "http": {"header_timeout": "1h"}, "fetch": {"timeout": "1h"}, **{"render": {"timeout": "1h"}, **config}})


class Reader:
    """Of one answer: what has come of its body, unpacked as it comes."""

    def __init__(self, client):
        self.client = client
        self.head = harness.Answer(client._take_until(b"\r\n\r\n")[:-4], b"")
        packed = self.head["content-encoding"]
        assert packed in (None, "gzip")
        self.unpack = zlib.decompressobj(31).decompress if packed else lambda data: data
        self.text, self.over = b"", False

    def chunk(self):
        size = int(self.client._take_until(b"\r\n"), 16)
        self.text += self.unpack(self.client._take(size + 2)[:-2])
        self.over = size == 0

    def until(self, text):
        while text not in self.text:
            assert not self.over, self.text
            self.chunk()

    def rest(self):
        while not self.over:
            self.chunk()
        return self.text


@pytest.mark.parametrize("encoding", [None, "gzip"])
@pytest.mark.parametrize("control", ["max-age=60", "private"])
def test_the_shell_is_there_before_the_slow_part_is_made(ssrd, backend, control, encoding):
    server = serve(ssrd, backend, control)
    headers = {"Accept-Encoding": encoding} if encoding else {}
    with server.connect() as client:
        client.request("/one", headers=headers)
        page = Reader(client)
        assert (page.head.status, page.head["content-encoding"]) == (200, encoding)
        page.until(b"<i>wait</i>")
        assert b"<h1>The shell</h1>" in page.text and b"late text" not in page.text
        backend.wait_asked("/one")
        backend.release("/one")  # what follows can't have been made before
        whole = page.rest()
        assert b"late text of /one" in whole and whole.endswith(b"</script></body></html>")
    again = server.get("/one", headers=headers)
    if control == "private":
        assert "hit" not in again.cache
    else:
        assert again.cache.startswith("ssrd; hit")
        assert (zlib.decompress(again.body, 31) if again["content-encoding"] else again.body) == whole


def test_pages_that_wait_do_not_wait_for_each_other(ssrd, backend):
    server = serve(ssrd, backend)
    with server.connect() as one, server.connect() as two:
        one.request("/one")
        first = Reader(one)
        first.until(b"<i>wait</i>")
        two.request("/two")
        second = Reader(two)
        second.until(b"<i>wait</i>")
        backend.release("/two")
        assert b"late text of /two" in second.rest()
        backend.release("/one")
        assert b"late text of /one" in first.rest()


def test_a_bot_gets_the_whole_page_with_its_length(ssrd, backend):
    server = serve(ssrd, backend, render={"timeout": "1h", "buffer_for": ["Googlebot"]})
    with server.connect() as client:
        client.request("/one", headers={"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"})
        backend.wait_asked("/one")
        backend.release("/one")
        answer = client.answer()
        assert answer["content-length"] == str(len(answer.body)) and "late text of /one" in answer.text


# A site that answers with its own markup to who sends no `rsc`, and by its Flight endpoint to who does.
BOTH = """
import flight from './server.mjs';
export default { async fetch(request, env) {
  if (request.headers.get('rsc') !== '1')
    return new Response('<p>a document', { headers: { 'content-type': 'text/html', 'cache-control': 'max-age=60' } });
  const answer = await flight.fetch(request, env);
  answer.headers.set('cache-control', 'max-age=60');
  return answer;
} };
"""


def test_flight_is_streamed_and_kept_by_a_key_of_its_own(ssrd, backend, tmp_path):
    shutil.copy(os.path.join(proof.make("rsc", harness.BUILD), "dist", "server.mjs"), tmp_path / "server.mjs")
    (tmp_path / "site.mjs").write_text(BOTH, encoding="utf-8")
    server = ssrd(None, {"bundle": {"path": str(tmp_path / "site.mjs"), "warmup": []}, "env": {"API": backend.url},
                         "render": {"timeout": "1h"}, "http": {"header_timeout": "1h"}, "fetch": {"timeout": "1h"}})
    assert server.get("/held").text == "<p>a document"
    with server.connect() as client:
        client.request("/held", headers={"rsc": "1"})
        page = Reader(client)
        assert (page.head["content-type"], page.head["transfer-encoding"]) == ("text/x-component", "chunked")
        page.until(b'"wait"')
        assert b"late text" not in page.text
        backend.wait_asked("/held")
        backend.release("/held")
        whole = page.rest()
    assert b"late text of /held" in whole
    again = server.get("/held", headers={"rsc": "1"})
    assert again.cache.startswith("ssrd; hit") and again.body == whole and "rsc" in again["vary"]
    document = server.get("/held")
    assert document.cache.startswith("ssrd; hit") and document.text == "<p>a document"


def test_what_stalls_in_its_back_end_is_cut_and_not_kept(ssrd, backend):
    server = serve(ssrd, backend, render={"timeout": "1h", "stall": "100ms"})
    with server.connect() as client:
        client.request("/one")
        page = Reader(client)
        page.until(b"<i>wait</i>")
        assert not client.until_closed().endswith(b"0\r\n\r\n")
    server.wait_log("stalled")
    backend.release("/one")
    assert "late text of /one" in server.get("/one").text
