# SPDX-License-Identifier: MIT
"""render.isolation in a running server; what each level carries over is tests/unit/test_js_isolation.c's."""

import pytest

BUNDLE = """
const storage = new AsyncLocalStorage();
let n = 0;
globalThis.renderPage = async (url, data, request) => {
  n++;
  globalThis.left = (globalThis.left ?? 0) + 1;
  if (url === '/throws') throw new Error('in its realm');
  if (url === '/late') await new Promise(() => setTimeout(() => { for (;;) {} }, 0));
  const text = await storage.run(url, async () => {
    await new Promise((go) => setTimeout(go, 1));
    const own = await (await fetch(new URL('/own', request.url))).text();
    return storage.getStore() + ' ' + own;
  });
  return [url, n, left, text].join(' ');
};
const { renderPage } = globalThis;
globalThis.renderPage = (url, ...rest) => url === '/own' ? 'own ' + ++n : renderPage(url, ...rest);
"""


@pytest.mark.parametrize("start", ["warm", "cold"])
@pytest.mark.parametrize("isolation, counts", [("shared", ("2 1", "4 2")), ("reset", ("2 1", "4 1")), ("context", ("1 1", "1 1"))])
def test_what_a_render_finds_of_the_one_before(ssrd, start, isolation, counts):
    server = ssrd(BUNDLE, {"start": start, "workers": 1, "render": {"isolation": isolation, "timeout": "1h"}, "fetch": {"timeout": "1h"}, "cache": {"ttl": 0}, "bundle": {"warmup": []}})
    host = {"Host": "127.0.0.1:%d" % server.address[1]}
    for path, count in zip(("/a", "/b"), counts):
        own = "own 1" if isolation == "context" else f"own {count.split()[0]}"
        assert server.get(path, headers=host).text == f"{path} {count} {path} {own}"
    assert "not in this version" not in server.log


def test_many_renders_each_in_a_realm_of_its_own(ssrd):
    server = ssrd(BUNDLE, {"workers": 1, "cache": {"ttl": 0}, "bundle": {"warmup": ["/own"]},
                           "render": {"isolation": "context", "concurrency": 8, "timeout": "1h"}, "fetch": {"timeout": "1h"}})
    host = {"Host": "127.0.0.1:%d" % server.address[1]}
    clients = [server.connect() for _ in range(20)]
    for i, client in enumerate(clients):
        client.request(f"/{i}", headers=host)
    for i, client in enumerate(clients):
        assert client.answer().text == f"/{i} 1 1 /{i} own 1"
        client.close()


def test_what_fails_in_a_realm_of_its_own_leaves_the_others_alone(ssrd):
    server = ssrd(BUNDLE, {"workers": 1, "cache": {"ttl": 0}, "bundle": {"warmup": ["/own"]},
                           "render": {"isolation": "context", "timeout": "1h"}, "routes": [{"match": "/late", "render": {"timeout": "300ms"}}]})
    for _ in range(3):
        assert server.get("/throws").status == 500
        assert server.get("/late").status == 504
        assert server.get("/own").text == "own 1"
    assert "in its realm" in server.log
