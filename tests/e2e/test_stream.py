# SPDX-License-Identifier: MIT
"""Pages whose body is a stream go out while they are made. What comes before what is shown by who waits for whom:
the second part of a stream comes when the test, having read the first, asks for another page."""

import os
import re
import select
import signal
import socket
import struct
import subprocess

import pytest

import harness

# /go lets all streams that wait go on. A stream's parts: /p?first,second; "!" throws, "@" waits for /go, "+" for half a second, "~" for ever.
PARTS = """
const encoder = new TextEncoder();
let go = () => {};
let gone = new Promise((resolve) => go = resolve);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
async function* parts(list) {
  for (const part of list)
    if (part === '@') await Promise.race([gone, sleep(3600000)]);
    else if (part === '~') await sleep(3600000);
    else if (part === '+') await sleep(500);
    else if (part === '!') throw new Error('half way');
    else yield encoder.encode(part);
}
function streamOf(url, list) {
  const source = parts(list);
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await source.next();
      if (done) controller.close(); else controller.enqueue(value);
    },
    cancel(reason) { console.log('cancelled ' + url + ' ' + reason.name); },
  }, { highWaterMark: 0 });
}
globalThis.renderPage = (url) => {
  if (url === '/') return 'x';
  if (url === '/go') { go(); gone = new Promise((resolve) => go = resolve); return { body: 'gone', cache: { ttl: 0 } }; }
  const [path, list] = url.split('?');
  const cache = path === '/mine' ? { private: true } : { ttl: 60 };
  const headers = { 'content-type': 'text/html' };
  return { headers, cache, status: path === '/missing' ? 404 : 200, body: streamOf(url, list.split(',')) };
};
"""
HTTP = {"header_timeout": "1h", "send_timeout": "1h"}  # a busy machine may be long about it
CONFIG = {"workers": 1, "render": {"concurrency": 8, "timeout": "1h"}, "http": HTTP}


def head_of(client):
    return harness.Answer(client._take_until(b"\r\n\r\n")[:-4], b"")


def chunk_of(client):
    size = int(client._take_until(b"\r\n"), 16)
    return client._take(size + 2)[:-2]


def counter(server, name):
    return int(re.search(rf"^{name} (\d+)$", server.admin("/metrics").text, re.M).group(1))


def test_the_first_part_is_there_before_the_second_is_made(ssrd):
    server = ssrd(PARTS, CONFIG)
    with server.connect() as client:
        client.request("/p?one,two,@,three")
        head = head_of(client)
        assert (head.status, head["transfer-encoding"], head["content-length"]) == (200, "chunked", None)
        assert head["etag"] is None
        assert chunk_of(client) == b"onetwo"  # what was there in one turn is one chunk
        assert server.get("/go").text == "gone"
        assert client._chunked() == b"three"
        assert client.get("/p?one,two,@,three").text == "onetwothree"  # the connection goes on
    assert counter(server, "ssrd_streams_total") == 1


def test_a_page_is_kept_when_it_is_complete_and_only_then(ssrd):
    server = ssrd(PARTS, CONFIG)
    with server.connect() as one, server.connect() as two:
        one.request("/p?one,@,two")
        assert head_of(one).cache.startswith("ssrd; fwd=uri-miss")
        assert chunk_of(one) == b"one"
        two.request("/p?one,@,two")  # joins, and gets it whole
        server.get("/go")
        assert one._chunked() == b"two"
        whole = two.answer()
        assert (whole.text, whole["content-length"]) == ("onetwo", "6")
        assert "collapsed" in whole.cache
    hit = server.get("/p?one,@,two")
    assert hit.cache.startswith("ssrd; hit") and hit.text == "onetwo"
    with server.connect() as client:
        assert client.get("/p?one,@,two", headers={"If-None-Match": hit["etag"]}).status == 304


def test_what_is_complete_at_once_has_its_length(ssrd):
    server = ssrd(PARTS, CONFIG)
    answer = server.get("/p?one,two,three")
    assert (answer["content-length"], answer["transfer-encoding"], answer.text) == ("11", None, "onetwothree")
    answer = server.get("/missing?not,here")
    assert (answer.status, answer.text) == (404, "nothere")


def test_some_get_it_whole(ssrd):
    server = ssrd(PARTS, {**CONFIG, "render": {**CONFIG["render"], "buffer_for": ["Googlebot"]}})
    for i, options in enumerate(({"version": "1.0"}, {"method": "HEAD"}, {"headers": {"If-None-Match": '"x"'}},
                                 {"headers": {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}})):
        with server.connect() as client:
            client.request(f"/p?{i},@,end", **options)
            harness.until(lambda: server.get("/go").text and select_readable(client), "the answer")
            answer = client.answer(options.get("method", "GET"))
            assert (answer.status, answer["content-length"], answer["transfer-encoding"]) == (200, "4", None)
    with server.connect() as client:
        client.request("/p?4,@,end", headers={"User-Agent": "Mozilla/5.0"})
        assert head_of(client)["transfer-encoding"] == "chunked"


def select_readable(client):
    return select.select([client.socket], [], [], 0)[0]


def test_a_failure_half_way_cuts_the_answer(ssrd):
    server = ssrd(PARTS, CONFIG)
    with server.connect() as client:
        client.request("/p?one,@,two,!")
        head_of(client)
        assert chunk_of(client) == b"one"
        server.get("/go")
        rest = client.until_closed()
        assert not rest.endswith(b"0\r\n\r\n")
    server.wait_log("render failed.*half way")
    assert counter(server, "ssrd_streams_cut_total") == 1
    with server.connect() as client:  # nothing of it was kept
        client.request("/p?one,@,two,!")
        assert "hit" not in head_of(client).cache


def test_the_deadline_cuts_the_answer_and_cancels_the_stream(ssrd):
    server = ssrd(PARTS, {**CONFIG, "render": {"concurrency": 8, "timeout": "200ms"}})
    with server.connect() as client:
        client.request("/p?one,~")
        head_of(client)
        assert client.until_closed() == b"3\r\none\r\n"
    server.wait_log("took too long")
    server.wait_log("cancelled /p\\?one,~ TimeoutError")


def test_a_stream_whose_only_reader_leaves_is_cancelled(ssrd):
    server = ssrd(PARTS, CONFIG)
    client = server.connect()
    client.request("/mine?one,~")
    head_of(client)
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
    client.close()
    server.wait_log("cancelled /mine\\?one,~ AbortError")


def test_a_silent_stream_is_cancelled_when_its_only_reader_has_closed(ssrd):
    server = ssrd(PARTS, {**CONFIG, "render": {"timeout": "1h"}})
    client = server.connect()
    client.request("/mine?one,~")
    head_of(client)
    assert chunk_of(client) == b"one"
    client.close()  # no reset: all that was sent has been read
    assert server.get("/").text == "x", "it held the worker"
    server.wait_log("cancelled /mine\\?one,~ AbortError")


def test_a_stream_that_goes_on_is_read_to_its_end_by_who_has_closed_one_side(ssrd):
    server = ssrd(PARTS, CONFIG)
    with server.connect() as client:
        client.request("/mine?one,+,two,+,three,+,four")
        client.socket.shutdown(socket.SHUT_WR)
        head_of(client)
        assert [chunk_of(client) for _ in range(4)] == [b"one", b"two", b"three", b"four"]


def test_a_page_for_all_is_finished_when_its_reader_leaves(ssrd):
    server = ssrd(PARTS, CONFIG)
    client = server.connect()
    client.request("/p?one,@,two")
    head_of(client)
    client.close()
    server.get("/go")
    harness.until(lambda: server.get("/p?one,@,two").cache.startswith("ssrd; hit"), "the page")


def test_what_is_for_one_reader_is_not_waited_for_by_others(ssrd):
    server = ssrd(PARTS, CONFIG)
    with server.connect() as one, server.connect() as two:
        one.request("/mine?one,@,two")
        head_of(one)
        two.request("/mine?one,@,two")
        assert head_of(two)["transfer-encoding"] == "chunked"
        assert chunk_of(two) == chunk_of(one) == b"one"
        server.get("/go")
        assert one._chunked() == two._chunked() == b"two"


ENDLESS = """
const chunk = new Uint8Array(65536).fill(97);
let pulls = 0;
globalThis.renderPage = (url) => {
  if (url === '/pulls') return { body: String(pulls), cache: { ttl: 0 } };
  if (url !== '/endless') return 'x';
  return { cache: { private: true }, body: new ReadableStream({
    async pull(controller) {
      await new Promise((go) => setTimeout(go, 0));
      controller.enqueue(chunk);
      if (++pulls === %d) controller.close();
    },
  }, { highWaterMark: 0 }) };
};
"""


def test_a_slow_client_stops_the_pulling(ssrd):
    total = 2000  # 125 MiB: more than any socket buffer
    server = ssrd(ENDLESS % total, CONFIG)
    with server.connect() as client:
        client.request("/endless")
        head_of(client)

        def rests(seen=[-1]):
            before, seen[0] = seen[0], int(server.get("/pulls").text)
            return seen[0] > 0 and before == seen[0]
        # a hundred answers of the same worker in between, and not one chunk more
        harness.until(lambda: all(rests() for _ in range(100)), "the pulling to stop")
        stopped = int(server.get("/pulls").text)
        assert stopped < total / 2
        assert sum(len(part) for part in iter(lambda: chunk_of(client), b"")) == total * 65536
        assert int(server.get("/pulls").text) == total


def begun(client, path):
    client.request(path)
    assert head_of(client)["transfer-encoding"] == "chunked" and chunk_of(client) == b"one"


def test_what_is_pipelined_behind_a_stream_is_answered_behind_it(ssrd):
    server = ssrd(PARTS, CONFIG)
    with server.connect() as client:
        begun(client, "/p?one,@,two")
        client.request("/")
        client.request("/p?one,@,two")
        client.request("/p?one,@,two", method="HEAD")
        server.get("/go")
        assert client._chunked() == b"two"
        assert client.answer().text == "x"
        assert client.answer().text == "onetwo"
        assert client.answer("HEAD")["content-length"] == "6"


def test_a_stream_goes_on_to_its_end_over_a_reload(ssrd):
    server = ssrd(PARTS, CONFIG)
    with server.connect() as client, server.connect() as other:
        assert other.get("/").text == "x"
        begun(client, "/p?one,@,two")
        assert server.ctl("reload").returncode == 0
        answer = other.get("/go")  # a connection of the same worker, which has been idle
        assert (answer.text, answer["connection"]) == ("gone", "close")
        assert client._chunked() == b"two"


def test_a_stream_goes_on_to_its_end_when_the_server_is_asked_to_stop(ssrd):
    server = ssrd(PARTS, CONFIG)
    with server.connect() as client:
        begun(client, "/p?one,+,two")
        server.process.send_signal(signal.SIGTERM)
        assert client._chunked() == b"two"
    assert server.wait() == 0


def test_a_stream_of_a_killed_worker_is_cut_and_not_kept(ssrd):
    server = ssrd(PARTS, CONFIG)
    with server.connect() as client:
        begun(client, "/p?one,@,two")
        old = server.workers()
        os.kill(old[0], signal.SIGKILL)
        assert client.until_closed() == b"", "no last chunk: the client sees that it was cut"
    server.await_new_worker(old)
    with server.connect() as client:
        begun(client, "/p?one,@,two")
        server.get("/go")
        assert client._chunked() == b"two"
    harness.until(lambda: server.get("/p?one,@,two").cache.startswith("ssrd; hit"), "the whole page")


WRONG = """
const stream = (chunk) => new ReadableStream({ async start(c) { await new Promise((go) => setTimeout(go, 1)); c.enqueue(chunk); c.close(); } });
const chunks = { '/string': 'text', '/number': 7, '/buffer': new ArrayBuffer(3), '/view': new DataView(new ArrayBuffer(3)), '/null': null };
globalThis.renderPage = (url) => ({ body: url === '/locked' ? (() => { const s = stream(''); s.getReader(); return s; })() : stream(chunks[url]) });
"""


def test_what_is_no_stream_of_bytes_is_an_error_that_says_so(ssrd):
    server = ssrd(WRONG, {"bundle": {"warmup": []}})
    for path in ("/string", "/number", "/buffer", "/view", "/null"):
        assert server.get(path).status == 500
        server.wait_log(f"url={path} .*must be a Uint8Array")
    assert server.get("/locked").status == 500
    server.wait_log("url=/locked .*locked")


TAGGED = """
const sleep = () => new Promise((go) => setTimeout(go, 1));
globalThis.renderPage = () => ({ headers: { etag: '"v1"' }, cache: { ttl: 60 }, body: new ReadableStream({
  async start(controller) {
    for (const text of ['one '.repeat(500), 'two '.repeat(500)]) {
      controller.enqueue(new TextEncoder().encode(text));
      await sleep(); await sleep();
    }
    controller.close();
  } }) });
"""


@pytest.mark.parametrize("encoding", ["br", "gzip"])
def test_a_stream_s_packed_bytes_are_not_those_that_are_kept_so_its_tag_is_weak(ssrd, encoding):
    server = ssrd(TAGGED)

    def ask(**headers):
        return server.get("/", headers={"Accept-Encoding": encoding, **{k.replace("_", "-"): v for k, v in headers.items()}})

    first, second = ask(), ask()
    assert [a["transfer-encoding"] for a in (first, second)] == ["chunked", None]
    assert harness.unpack(first) == harness.unpack(second) and first.body != second.body
    assert (first["etag"], second["etag"]) == (f'W/"v1-{encoding}"', f'"v1-{encoding}"')
    assert ask(If_None_Match=first["etag"]).status == 304
    assert ask(Range="bytes=0-9", If_Range=second["etag"]).status == 206
    assert ask(Range="bytes=0-9", If_Range=first["etag"]).status == 200, "half of one and half of the other are no page"
    assert ssrd(TAGGED).get("/")["etag"] == '"v1"', "as they are, the bytes are the same"


RESPONSES = PARTS + """
const page = globalThis.renderPage;
globalThis.renderPage = undefined;
const kept = new Response(streamOf('/kept', ['kept']));
globalThis.fetchHandler = async (request) => {
  const { pathname, search } = new URL(request.url);
  if (pathname === '/kept') return kept;
  const result = page(pathname + search);
  return typeof result === 'string' ? new Response(result)
    : new Response(result.body, { headers: { 'x-path': pathname, 'content-type': 'text/html' } });
};
"""


def test_a_response_goes_out_as_it_comes_too(ssrd):
    server = ssrd(RESPONSES, CONFIG)
    with server.connect() as client:
        client.request("/mine?one,@,two")
        head = head_of(client)
        assert (head["transfer-encoding"], head["x-path"]) == ("chunked", "/mine")
        assert chunk_of(client) == b"one"
        server.get("/go")
        assert client._chunked() == b"two"
    answer = server.get("/mine?one,two")
    assert (answer["content-length"], answer.text) == ("6", "onetwo")
    assert server.get("/kept").text == "kept"
    assert server.get("/kept").status == 500  # a body is there once


@pytest.mark.parametrize("version", ["1.1", "1.0"])  # in parts, and whole
def test_a_stream_that_falls_silent_is_ended(ssrd, version):
    """Long before its timeout."""
    server = ssrd(PARTS, {**CONFIG, "render": {**CONFIG["render"], "stall": "100ms"}})
    with server.connect() as client:
        client.request("/p?one,~", version=version)
        if version == "1.1":
            assert head_of(client)["transfer-encoding"] == "chunked"
            assert client.until_closed() == b"3\r\none\r\n"
        else:
            assert client.answer().status == 504
    server.wait_log("stalled.*no chunk for render.stall")
    server.wait_log("cancelled /p\\?one,~ TimeoutError")


PULLED = """
const chunk = new Uint8Array(65536).fill(97);
let pulls = 0;
globalThis.renderPage = (url) => url !== '/endless' ? { body: url + ' ' + pulls, cache: { ttl: 0 } }
  : { cache: { private: true }, body: new ReadableStream({
      async pull(controller) {
        await new Promise((go) => setTimeout(go, 0));
        controller.enqueue(chunk);
        if (++pulls === 2000) controller.close();
      },
    }, { highWaterMark: 0 }) };
"""


def test_a_slow_client_keeps_no_render_from_beginning(ssrd):
    server = ssrd(PULLED, {"workers": 1, "render": {"concurrency": 1, "timeout": "1h"}, "http": HTTP})
    with server.connect() as slow:
        slow.request("/endless")
        assert head_of(slow)["transfer-encoding"] == "chunked"
        pulls = int(server.get("/other").text.split()[1])  # at once, though /endless is open
        assert 0 < pulls < 2000
        assert sum(len(part) for part in iter(lambda: chunk_of(slow), b"")) == 2000 * 65536


@pytest.mark.parametrize("encoding, unpack", [("gzip", "Gunzip"), ("br", "BrotliDecompress")])
def test_a_part_that_is_packed_can_be_read_at_once(ssrd, encoding, unpack):
    server = ssrd(PARTS, CONFIG)
    script = f"process.stdin.pipe(require('zlib').create{unpack}()).pipe(process.stdout)"
    with server.connect() as client, subprocess.Popen(["node", "-e", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as node:
        client.request("/p?one,two,@,three", headers={"Accept-Encoding": f"{encoding}, deflate"})
        head = head_of(client)
        assert (head["content-encoding"], head["vary"]) == (encoding, "Accept-Encoding")
        node.stdin.write(chunk_of(client))
        node.stdin.flush()
        assert os.read(node.stdout.fileno(), 100) == b"onetwo"
        server.get("/go")
        node.stdin.write(client._chunked())
        node.stdin.close()
        assert node.stdout.read() == b"three"
    assert server.get("/p?one,two,@,three").text == "onetwothree"  # kept as it was made
