# SPDX-License-Identifier: MIT
"""Bundles that return the inside of a page, and the template that stands around it."""

import pytest

import harness

TEMPLATE = """<!doctype html>
<html><head><title>t</title><!--ssr-head--></head>
<body><div id="app"><!--ssr-outlet--></div><script src="/a.js"></script></body></html>
"""
AROUND = TEMPLATE.split("<!--ssr-head-->")[0], "</head>\n<body><div id=\"app\">", TEMPLATE.split("<!--ssr-outlet-->")[1]


def page(html, head=""):
    return AROUND[0] + head + AROUND[1] + html + AROUND[2]


@pytest.fixture
def site(ssrd, tmp_path):
    """start(bundle, template=…, **bundle options) -> Server"""
    def start(bundle, template=TEMPLATE, options=None, **more):
        if template is not None:
            (tmp_path / "index.html").write_text(template, encoding="utf-8")
        return ssrd(bundle, {"bundle": {"template": str(tmp_path / "index.html"), **(options or {})}}, **more)
    return start


@pytest.mark.parametrize("result, wanted", [
    ("'<p>in</p>'", page("<p>in</p>")),
    ("Promise.resolve('<p>\\u00e4\\u{1f600} $& $1</p>')", page("<p>\u00e4\U0001f600 $& $1</p>")),
    ("{html: '<p>in</p>', head: '<meta name=a>'}", page("<p>in</p>", "<meta name=a>")),
    ("{html: '<p>in</p>', head: ['<meta name=a>', '<meta name=b>']}", page("<p>in</p>", "<meta name=a>\n<meta name=b>")),
    ("{html: 'x', status: 404, headers: {'x-y': 'z'}}", page("x")),
    ("{body: '<p>in</p>'}", page("<p>in</p>")),
    ("{body: '{}', headers: {'content-type': 'application/json'}}", "{}"),
    ("'<!DOCTYPE html><p>whole'", "<!DOCTYPE html><p>whole"),
    ("'  <html lang=en><p>whole'", "  <html lang=en><p>whole"),
    ("'<htmlx>'", page("<htmlx>")),
    ("new Response('<p>as it is</p>')", "<p>as it is</p>"),
])
def test_what_is_put_into_it(site, result, wanted):
    server = site("globalThis.renderPage = () => (" + result + ");")
    answer = server.get("/")
    assert answer.text == wanted
    assert server.get("/").text == wanted, "and so from the cache"
    if "status" in result:
        assert answer.status == 404 and answer["x-y"] == "z"


STREAMS = """
const encoder = new TextEncoder();
const sleep = () => new Promise((done) => setTimeout(done, 1));
const streamOf = (...parts) => new ReadableStream({
  async start(controller) {
    for (const part of parts) {
      controller.enqueue(encoder.encode(part));
      await sleep(); await sleep();
    }
    controller.close();
  } });
const at_once = (...parts) => new ReadableStream({ start(c) { for (const part of parts) c.enqueue(encoder.encode(part)); c.close(); } });
globalThis.renderPage = () => (RESULT);
"""


@pytest.mark.parametrize("result, wanted", [
    ("{html: streamOf('<p>$&', '\u00e4</p>'), head: ['<meta name=a>', '<meta name=b>']}", page("<p>$&\u00e4</p>", "<meta name=a>\n<meta name=b>")),
    ("{body: streamOf('', '<p>', '</p>')}", page("<p></p>")),
    ("{html: at_once('<p>', '</p>')}", page("<p></p>")),
    ("{html: streamOf()}", page("")),
    ("{body: streamOf('\\n', ' <!doc', 'type', ' html>', '<p>whole')}", "\n <!doctype html><p>whole"),
    ("{body: streamOf('<', 'h', 'tmlx>', '<p>')}", page("<htmlx><p>")),
    ("{body: streamOf('<html', '>')}", "<html>"),
    ("{body: at_once('<html')}", page("<html")),
    ("{body: streamOf(' '.repeat(300), '<html>')}", page(" " * 300 + "<html>")),
    ("{body: streamOf('<!doctype html>', '<p>whole')}", "<!doctype html><p>whole"),
    ("{html: streamOf(' <html>', '<p>whole')}", " <html><p>whole"),
    ("{body: streamOf('{', '}'), headers: {'content-type': 'application/json'}}", "{}"),
    ("new Response(streamOf('as it', ' is'))", "as it is"),
])
def test_a_stream_is_put_into_it_as_it_comes(site, result, wanted):
    server = site(STREAMS.replace("RESULT", result))
    first = server.get("/")
    assert first.text == wanted
    assert first["transfer-encoding"] == (None if "at_once" in result or wanted == page("") else "chunked")
    second = server.get("/")
    assert second.text == wanted and "hit" in second.cache and int(second["content-length"]) == len(second.body)


def test_a_stream_of_an_inside_without_a_template_makes_a_document(ssrd):
    server = ssrd(STREAMS.replace("RESULT", "{html: streamOf('<p>', '</p>'), head: '<title>t</title>'}"))
    assert server.get("/").text == ('<!DOCTYPE html>\n<html>\n<head>\n<meta charset="utf-8">\n<title>t</title>\n</head>\n<body>\n'
                                    '<p></p>\n</body>\n</html>\n')


def test_without_a_template_html_and_head_make_a_document(ssrd):
    server = ssrd("globalThis.renderPage = () => ({html: '<p>in</p>', head: '<title>t</title>'});")
    answer = server.get("/")
    assert answer.text == ('<!DOCTYPE html>\n<html>\n<head>\n<meta charset="utf-8">\n<title>t</title>\n</head>\n<body>\n'
                           '<p>in</p>\n</body>\n</html>\n')
    assert answer["content-type"] == "text/html; charset=utf-8"


def test_vites_entry_server_as_a_module(ssrd, tmp_path):
    (tmp_path / "index.html").write_text(TEMPLATE)
    (tmp_path / "entry.mjs").write_text("export function render(url) { return {html: '<p>' + url + '</p>', head: '<i>'}; }")
    server = ssrd(None, {"bundle": {"path": str(tmp_path / "entry.mjs"), "template": str(tmp_path / "index.html")}})
    assert server.get("/x").text == page("<p>/x</p>", "<i>")


def test_outlets_of_another_name_and_a_head_without_one(site):
    server = site("globalThis.renderPage = () => ({html: 'IN', head: 'HEAD'});",
                  template="<head>a</head><body><!-- app-html --></body>", options={"outlet": "app-html"})
    assert server.get("/").text == "<head>aHEAD</head><body>IN</body>"


@pytest.mark.parametrize("template, wanted", [
    ("<body></body>", "the outlet of the page is missing"),
    ("<!--ssr-outlet--><!--ssr-outlet-->", "more than once"),
    ("<!--ssr-outlet--><!--ssr-head-->", "stands behind"),
    (None, "no such file"),
])
def test_a_template_that_can_not_be_used_refuses_the_start(site, run, template, wanted):
    server = site(harness.HELLO, template=template, ready=False)
    assert server.wait() == 78
    assert "bundle.template" in server.log and wanted in server.log
    assert run(harness.SSRD, "-t", "-c", server.config_file).returncode == 1


def test_a_new_template_comes_with_a_reload(site, tmp_path):
    server = site("globalThis.renderPage = () => 'IN';", template="one <!--ssr-outlet-->")
    assert server.get("/").text == "one IN"
    (tmp_path / "index.html").write_text("two <!--ssr-outlet-->")
    server.ctl("reload")
    assert server.get("/").text == "two IN"
    (tmp_path / "index.html").write_text("broken")
    assert server.ctl("reload", check=False).returncode == 1
    assert server.get("/").text == "two IN"
