# SPDX-License-Identifier: MIT
"""ssr.nonce: pages that are kept, and a nonce of its own in each answer."""

import json
import os
import re
import signal

import pytest

import harness

BUNDLE = """
const csp = (nonce) => ({ 'content-security-policy': `script-src 'nonce-${nonce}'` });
const html = (nonce) => `<p>${'x'.repeat(20000)}<script nonce="${nonce}">1</script><script nonce="${nonce}">2</script>`;
const sleep = () => new Promise((go) => setTimeout(go, 1));
let n = 0, kept;
globalThis.renderPage = (url) => {
  n++;
  if (url === '/own') return { headers: { ...csp(ssr.nonce), etag: '"own"' }, body: html(ssr.nonce) };
  if (url === '/keeps') { kept = html(ssr.nonce); ssr.cache.set('kept', kept); ssr.cache.set('wide', '\u2713' + kept); return kept; }
  if (url === '/kept') return kept;
  if (url === '/kept-stream') return { body: new ReadableStream({
    async start(c) {
      const text = new TextEncoder().encode(kept), cut = kept.indexOf('nonce="') + 20;
      c.enqueue(text.slice(0, cut));
      await sleep(); await sleep();
      c.enqueue(text.slice(cut));
      c.close();
    } }) };
  if (url === '/fragment' || url === '/wide') return ssr.cache.get(url === '/wide' ? 'wide' : 'kept');
  if (url === '/plain') return 'plain';
  if (url === '/stream' || url === '/late') return { headers: url === '/late' ? {} : csp(ssr.nonce), body: new ReadableStream({
    async start(c) {
      c.enqueue(new TextEncoder().encode(html(url === '/late' ? '' : ssr.nonce)));
      await sleep(); await sleep();
      c.enqueue(new TextEncoder().encode('<i>' + (url === '/late' ? `[${ssr.nonce}]` : n)));
      c.close();
    } }) };
  return { headers: csp(ssr.nonce), body: html(ssr.nonce) + n };
};
"""


def nonces(answer, html=None):
    """The one of the header, and all of the page: they must be one."""
    found = re.findall(r'nonce="([^"]*)"', html or answer.text)
    assert len(found) == 2
    header = re.fullmatch(r"script-src 'nonce-([A-Za-z0-9+/]{32})'", answer["content-security-policy"])
    assert header and set(found) == {header[1]}
    return header[1]


def test_each_answer_has_a_nonce_of_its_own(ssrd):
    server = ssrd(BUNDLE)
    answers = [server.get("/a") for _ in range(20)]
    assert ["hit" in answer.cache for answer in answers] == [False] + [True] * 19
    seen = {nonces(answer) for answer in answers}
    assert len(seen) == 20 and not any(re.fullmatch("[0-9a-f]{32}", nonce) for nonce in seen)
    assert len({re.sub(r'nonce="[^"]*"', "", answer.text) for answer in answers}) == 1  # the rest is the same page
    assert all(int(answer["content-length"]) == len(answer.body) for answer in answers)


def test_what_may_be_said_of_bytes_that_differ(ssrd):
    server = ssrd(BUNDLE)
    server.get("/a")
    page = server.get("/a")
    nonces(page)
    assert page["content-encoding"] is None and page["etag"].startswith('W/"')
    same = server.get("/a", headers={"If-None-Match": page["etag"]})
    assert same.status == 304 and same["content-security-policy"] is None, "the page that the client has keeps its policy"
    part = server.get("/a", headers={"Range": "bytes=0-9"})
    assert part.status == 200 and nonces(part)
    head = server.get("/a", method="HEAD")
    assert "nonce-" in head["content-security-policy"] and head["content-length"] == page["content-length"]
    assert server.get("/plain")["etag"].startswith('"')
    own = server.get("/own")
    assert own["etag"] == 'W/"own"' and server.get("/own", headers={"If-None-Match": '"own"'}).status == 304


@pytest.mark.parametrize("path", ["/a", "/stream"])
@pytest.mark.parametrize("encoding", ["br", "gzip"])
def test_they_are_packed_for_each_answer(ssrd, encoding, path):
    server = ssrd(BUNDLE)
    answers = [server.get(path, headers={"Accept-Encoding": encoding}) for _ in range(3)]
    pages = [harness.unpack(answer).decode() for answer in answers]
    assert [("hit" in a.cache, a["content-encoding"], a["vary"]) for a in answers] == [(i > 0, encoding, "Accept-Encoding") for i in range(3)]
    assert len({nonces(answer, page) for answer, page in zip(answers, pages)}) == 3
    assert all(len(answer.body) < len(page) / 10 for answer, page in zip(answers, pages))
    assert all(answer["etag"] is None or answer["etag"].startswith("W/") for answer in answers)
    plain = server.get(path)
    assert plain["content-encoding"] is None and plain["vary"] == "Accept-Encoding" and nonces(plain)
    assert server.get(path, headers={"Accept-Encoding": encoding, "If-None-Match": answers[1]["etag"]}).status == 304
    head = server.get(path, method="HEAD", headers={"Accept-Encoding": encoding})
    assert head["content-encoding"] == encoding and int(head["content-length"]) < 1000


def test_a_stream_goes_out_as_it_comes_and_is_kept(ssrd):
    server = ssrd(BUNDLE)
    first, second = server.get("/stream"), server.get("/stream")
    assert first["transfer-encoding"] == "chunked" and "hit" in second.cache
    assert nonces(first) != nonces(second)
    late = server.get("/late")
    assert late["transfer-encoding"] == "chunked" and late.text.endswith("<i>[]")


@pytest.mark.parametrize("path", ["/kept", "/kept-stream", "/fragment", "/wide"])
def test_a_mark_that_the_bundle_keeps_never_leaves_the_server(ssrd, path):
    """The page did not read ssr.nonce, another one did: in a variable, in two parts of a stream, in a fragment."""
    server = ssrd(BUNDLE)
    found = []
    for page in ("/keeps", path, path):
        answer = server.get(page)
        found += re.findall(r'nonce="([^"]*)"', answer.text)
    assert len(found) == 6 and len(set(found)) == 3, found
    assert all(re.fullmatch("[A-Za-z0-9+/]{32}", nonce) and not re.fullmatch("[0-9a-f]{32}", nonce) for nonce in found)


def test_a_fragment_of_a_worker_that_has_died_is_no_way_out_either(ssrd):
    server = ssrd(BUNDLE, {"cache": {"key": {"query": "all"}}})
    server.get("/keeps")
    old = server.workers()
    os.kill(old[0], signal.SIGKILL)
    server.await_new_worker(old)  # which has never read ssr.nonce
    for path in ("/fragment", "/wide"):
        one, two = [re.findall(r'nonce="([^"]*)"', server.get(path).text) for _ in range(2)]
        assert one and one[0] == one[1] and one != two


def test_back_ends_get_one_too(ssrd):
    server = ssrd(BUNDLE)
    seen = set()
    for _ in range(2):
        answer = server.admin("/render", method="POST", body=json.dumps({"url": "/a", "cache": True}).encode(),
                              headers={"Accept": "application/json"})
        page = json.loads(answer.body)
        header = re.search(r"'nonce-([^']*)'", page["headers"]["content-security-policy"])[1]
        assert set(re.findall(r'nonce="([^"]*)"', page["html"])) == {header}
        seen.add(header)
    assert len(seen) == 2


def test_a_mark_that_is_read_at_load_is_one_too(ssrd):
    server = ssrd("const mark = ssr.nonce; globalThis.renderPage = () => `<b nonce=\"${mark}\">`;")
    one, two = server.get("/"), server.get("/")
    assert one.text != two.text and len(one.text) == len(two.text) and "hit" in two.cache


def test_pages_of_another_start_are_rendered_anew(ssrd, tmp_path):
    config = {"cache": {"file": str(tmp_path / "cache"), "cold": "16MiB"}}
    before = ssrd(BUNDLE, config)
    for path in ("/a", "/plain"):
        before.get(path)
    assert before.stop() == 0
    after = ssrd(BUNDLE, config)
    assert "hit" in after.get("/plain").cache
    page = after.get("/a")
    assert "hit" not in page.cache and nonces(page)


@pytest.mark.parametrize("path", ["/a", "/stream"])
def test_over_two_workers(ssrd, path):
    server = ssrd(BUNDLE, {"workers": 2})
    assert len({nonces(server.get(path)) for _ in range(12)}) == 12
