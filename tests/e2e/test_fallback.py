# SPDX-License-Identifier: MIT
"""render.fallback: a page of the site's own in the place of an error."""

import harness

BUNDLE = """
globalThis.renderPage = (url) => {
  if (url.includes('loop')) for (;;) {}
  if (url.includes('throw')) throw new Error('secret');
  return 'page ' + url;
};
"""


def test_a_failed_render_is_answered_with_the_fallback_and_the_status_stays(ssrd, tmp_path):
    (tmp_path / "sorry.html").write_text("<h1>sorry</h1>")
    (tmp_path / "route.html").write_text("<h1>other</h1>")
    server = ssrd(BUNDLE, {"render": {"timeout": "300ms", "fallback": str(tmp_path / "sorry.html")}, "workers": 1,
                           "routes": [{"match": "/other/*", "render": {"fallback": str(tmp_path / "route.html")}}]})
    for path, status, body in (("/throw", 500, "<h1>sorry</h1>"), ("/loop", 504, "<h1>sorry</h1>"),
                               ("/other/throw", 500, "<h1>other</h1>"), ("/p", 200, "page /p")):
        answer = server.get(path)
        assert (answer.status, answer.text) == (status, body)
        if status >= 500:
            assert answer["cache-control"] == "no-store" and answer["content-type"] == "text/html; charset=utf-8"
            assert answer["x-request-id"]
    assert server.get("/throw", method="HEAD").body == b""


def test_what_is_shed_gets_the_fallback_too(ssrd, tmp_path):
    (tmp_path / "sorry.html").write_text("<h1>sorry</h1>")
    server = ssrd(BUNDLE, {"render": {"timeout": "1s", "queue": 1, "fallback": str(tmp_path / "sorry.html")}})
    clients = [server.connect() for _ in range(3)]
    for i, client in enumerate(clients):
        client.request(f"/loop{i}")
        server.admin("/healthz")
    answers = [client.answer() for client in clients]
    shed = [a for a in answers if a.status == 503]
    assert len(shed) == 1 and shed[0].text == "<h1>sorry</h1>" and shed[0]["retry-after"], answers


def test_back_ends_get_their_problem_and_no_page(ssrd, tmp_path):
    (tmp_path / "sorry.html").write_text("<h1>sorry</h1>")
    server = ssrd(BUNDLE, {"render": {"fallback": str(tmp_path / "sorry.html")}})
    with harness.Client(server.admin_address) as client:
        answer = client.get("/render", "POST", body=b'{"url": "/throw"}')
    assert answer.status == 500 and answer["content-type"] == "application/problem+json"


def test_a_fallback_that_is_not_there_is_a_mistake_in_the_config(ssrd):
    server = ssrd(BUNDLE, {"render": {"fallback": "/nowhere/sorry.html"}}, ready=False)
    assert server.wait() == 78
    assert "render.fallback" in server.log
