# SPDX-License-Identifier: MIT
"""Gateways as adapters of other languages speak to them: Inertia's (Laravel, Rails, Django) and Hypernova's."""

import json
import re

import pytest

import harness

INERTIA = """import { createServer } from 'node:http';
import * as process from 'process';
import cluster from 'cluster';
import { availableParallelism } from 'os';
// what @inertiajs/core/server is made of
const start = (render, port = 13714) => {
  const routes = {
    '/health': async () => ({ status: 'OK', timestamp: Date.now() }),
    '/shutdown': () => process.exit(),
    '/render': async (request) => render(JSON.parse(await text(request))),
  };
  const text = (readable) => new Promise((resolve, reject) => {
    let data = '';
    readable.on('data', (chunk) => (data += chunk));
    readable.on('end', () => resolve(data));
    readable.on('error', (error) => reject(error));
  });
  createServer(async (request, response) => {
    response.writeHead(200, { 'Content-Type': 'application/json', Server: 'Inertia.js SSR' });
    response.write(JSON.stringify(await routes[request.url](request)));
    response.end();
  }).listen(port, () => console.log(`started on ${cluster.isPrimary} ${availableParallelism()}`));
};
start(PAGE);
"""
PAGE = """async (page) => {
  if (page.component === 'Browser') return window.innerWidth;
  if (page.component === 'Missing') throw new Error(`Page not found: ./Pages/${page.component}.vue`);
  if (page.component === 'Broken') throw new TypeError('no such prop');
  if (page.component === 'Slow') await new Promise(() => {});
  return { head: [`<title inertia>${page.props.title}</title>`], body: `<div id="app">${page.url} ${page.version}</div>` };
}"""


def call(port, path="/render", method="POST", body=None, **headers):
    with harness.Client(("127.0.0.1", port)) as client:
        data = None if body is None else json.dumps(body).encode()
        return client.get(path, method=method, body=data, headers={"Content-Type": "application/json", **headers})


@pytest.fixture
def gateway(ssrd):
    """gateway(protocol, bundle, config) -> a server with .gateway, the port."""
    def start(protocol, bundle, config=None):
        port = harness.free_port()
        server = ssrd(bundle, {"gateway": [{"protocol": protocol, "listen": f"127.0.0.1:{port}"}], **(config or {})})
        server.gateway = port
        return server
    return start


BUNDLES = {
    "over node:http": INERTIA.replace("PAGE", PAGE),
    "of the package": f"import createServer from '@inertiajs/vue3/server'; createServer({PAGE})",
    "a global": f"createServer({PAGE})",
    "a default function": f"export default {PAGE}",
}


@pytest.mark.parametrize("bundle", BUNDLES.values(), ids=BUNDLES.keys())
def test_inertia_renders_a_page_object(gateway, bundle):
    server = gateway("inertia", bundle, {"bundle": {"warmup": []}})
    page = {"component": "Home", "props": {"title": "Grüße", "errors": {}}, "url": "/users?page=2", "version": "abc"}
    answer = call(server.gateway, body=page)
    assert (answer.status, answer["content-type"]) == (200, "application/json")
    assert json.loads(answer.body) == {"head": ["<title inertia>Grüße</title>"],
                                       "body": '<div id="app">/users?page=2 abc</div>'}
    # never from a cache: another page object, the same URL
    page["version"] = "def"
    assert "def" in json.loads(call(server.gateway, body=page).body)["body"]


def test_inertia_health_and_unknown_paths(gateway):
    server = gateway("inertia", BUNDLES["a global"])
    health = json.loads(call(server.gateway, "/health", "GET").body)
    assert health["status"] == "OK" and health["timestamp"] > 1.6e12
    for path, method in (("/nowhere", "GET"), ("/render", "GET"), ("/", "POST")):
        answer = call(server.gateway, path, method)
        assert (answer.status, json.loads(answer.body)["status"]) == (200, "NOT_FOUND")
    assert server.get("/").status == 404, "pages come through the gateway alone"


@pytest.mark.parametrize("component, kind, told", [
    ("Browser", "browser-api", "window is not defined"), ("Missing", "component-resolution", "Page not found: ./Pages/Missing.vue"),
    ("Broken", "render", "no such prop")])
@pytest.mark.parametrize("bundle", ["over node:http", "a global"])
def test_inertia_failures_are_classified(gateway, bundle, component, kind, told):
    server = gateway("inertia", BUNDLES[bundle])
    answer = call(server.gateway, body={"component": component, "props": {}, "url": "/x"})
    assert (answer.status, answer["content-type"]) == (500, "application/json")
    failure = json.loads(answer.body)
    assert failure["error"] == told and failure["type"] == kind
    assert (failure["component"], failure["url"]) == (component, "/x")
    assert re.search(r"server\.js:\d+:\d+$", failure["sourceLocation"])
    assert "server.js:" in failure["stack"] and "ssr:" not in failure["stack"]
    assert failure["hint"] and re.match(r"\d{4}-\d\d-\d\dT", failure["timestamp"])
    assert failure.get("browserApi") == ("window" if kind == "browser-api" else None)
    assert server.wait_log(re.escape(told))


def test_inertia_failures_outside_of_the_page(gateway):
    server = gateway("inertia", BUNDLES["a global"], {"render": {"timeout": "50ms"}})
    slow = call(server.gateway, body={"component": "Slow", "props": {}, "url": "/x"})
    assert slow.status == 500 and slow["x-request-id"]
    failure = json.loads(slow.body)
    assert (failure["type"], failure["component"], failure["url"]) == ("render", "Slow", "/x")
    assert json.loads(call(server.gateway, body=[1]).body)["error"] == "the body is no JSON object"
    assert call(server.gateway, body={"component": "Home", "props": {"title": 1}}, Origin="http://evil").status == 403


def test_an_inertia_bundle_without_its_gateway_is_refused(run, tmp_path):
    (tmp_path / "server.js").write_text(INERTIA.replace("PAGE", PAGE))
    done = run(harness.SSRCTL, "check", "server.js")
    assert done.returncode == 1 and "gateway: [{protocol: inertia" in done.stdout


HYPERNOVA = """const components = {
  Greeting: (props) => `<b>hello ${props.name}</b>`,
  Late: async (props) => { await new Promise((done) => setTimeout(done, 1)); return '<i>late</i>' },
  Broken: () => { throw new TypeError('broken component') },
  Empty: () => '',
};
export const getComponent = (name, context) => {
  if (name === 'Greeting') context.returnMeta.asked = context.metadata.by;
  return components[name];
};
"""


def test_hypernova_renders_a_batch(gateway):
    server = gateway("hypernova", HYPERNOVA)
    answer = call(server.gateway, "/batch", body={
        "t0": {"name": "Greeting", "data": {"name": "Ada"}, "metadata": {"by": "rails"}},
        "t1": {"name": "Late", "data": {}}, "t2": {"name": "Broken", "data": {}},
        "t3": {"name": "Nowhere", "data": {}}, "t4": {"name": "Empty", "data": {}}})
    assert (answer.status, answer["content-type"]) == (200, "application/json")
    batch = json.loads(answer.body)
    assert (batch["success"], batch["error"]) == (True, None)
    results = batch["results"]
    assert list(results) == ["t0", "t1", "t2", "t3", "t4"]
    for result in results.values():
        assert set(result) == {"name", "html", "meta", "duration", "statusCode", "success", "error"}
        assert result["duration"] >= 0
    first = results["t0"]
    assert (first["name"], first["html"], first["meta"], first["statusCode"], first["success"], first["error"]) == (
        "Greeting", "<b>hello Ada</b>", {"asked": "rails"}, 200, True, None)
    assert results["t1"]["html"] == "<i>late</i>"
    broken = results["t2"]
    assert (broken["html"], broken["statusCode"], broken["success"]) == (None, 500, False)
    assert (broken["error"]["name"], broken["error"]["message"]) == ("TypeError", "broken component")
    assert "server.js:" in broken["error"]["stack"][1]
    missing = results["t3"]
    assert (missing["statusCode"], missing["error"]["message"]) == (404, 'Component "Nowhere" not registered')
    # clients join the lines of a stack again, and group by what stands in place of the component
    assert missing["error"]["stack"][1] == "at YOUR-COMPONENT-DID-NOT-REGISTER_Nowhere:1:1"
    assert results["t4"]["statusCode"] == 500 and "HTML was not returned" in results["t4"]["error"]["message"]
    assert all(isinstance(result["error"]["stack"], list) for result in results.values() if result["error"])
    assert server.wait_log("broken component")


def test_hypernova_over_a_page_function(gateway):
    server = gateway("hypernova", "globalThis.renderPage = (url, data) => url === '/Box' ? `${url} ${data.n}`"
                                  " : {status: 404, body: ''}", {"bundle": {"warmup": ["/Box"]}})
    results = json.loads(call(server.gateway, "/batch", body={
        "a": {"name": "Box", "data": {"n": 7}}, "b": {"name": "No", "data": {}}}).body)["results"]
    assert results["a"]["html"] == "/Box 7"
    assert (results["b"]["statusCode"], results["b"]["success"]) == (404, False)


def test_hypernova_components_are_those_of_the_bundle(gateway):
    server = gateway("hypernova", "globalThis.components = {Box: () => '<p>'};")
    results = json.loads(call(server.gateway, "/batch", body={
        name: {"name": name, "data": {}} for name in ("Box", "constructor", "toString", "__proto__")}).body)["results"]
    assert [result["statusCode"] for result in results.values()] == [200, 404, 404, 404]


def test_hypernova_batch_that_fails_whole(gateway):
    server = gateway("hypernova", HYPERNOVA)
    answer = call(server.gateway, "/batch", body=[1])
    assert answer.status == 500
    batch = json.loads(answer.body)
    assert batch["success"] is False and batch["error"]["message"] and batch["results"] == {}
    assert isinstance(batch["error"]["stack"], list)
    assert call(server.gateway, "/elsewhere").status == 404
    assert json.loads(call(server.gateway, "/batch", body={}).body) == {"success": True, "error": None, "results": {}}


def test_hypernova_jobs_of_a_batch_that_fails_whole(gateway):
    """Clients that look at the results alone put a blank component for each job without HTML, and nothing for a job
    that is missing."""
    server = gateway("hypernova", HYPERNOVA.replace(
        "throw new TypeError", "for (;;) ; throw new TypeError"), {"render": {"timeout": "100ms"}})
    answer = call(server.gateway, "/batch", body={
        "0": {"name": "Greeting", "data": {"name": "Ada"}}, "1": {"name": "Broken"}, "2": None})
    assert (answer.status, answer["content-type"]) == (500, "application/json") and answer["x-request-id"]
    batch = json.loads(answer.body)
    assert batch["success"] is False and "time" in batch["error"]["message"]
    assert [(token, job["name"]) for token, job in batch["results"].items()] == [
        ("0", "Greeting"), ("1", "Broken"), ("2", None)]
    for job in batch["results"].values():
        assert (job["html"], job["success"], job["statusCode"], job["meta"]) == (None, False, 500, {})
        assert isinstance(job["error"]["stack"], list) and job["error"]["name"] == "Error"


@pytest.mark.parametrize("text, told", [
    ("gateway: [{listen: 127.0.0.1:1}]", "`protocol` is missing"), ("gateway: [{protocol: soap}]", "inertia|hypernova"),
    ("gateway: [{protocol: inertia, port: 1}]", "unknown key `gateway[0].port`")])
def test_config_of_gateways_is_checked(run, tmp_path, text, told):
    (tmp_path / "server.js").write_text(harness.HELLO)
    (tmp_path / "c.yaml").write_text(f"bundle: {{path: server.js}}\n{text}\n")
    done = run(harness.SSRD, "-t", "-c", "c.yaml")
    assert done.returncode == 1 and told in done.stdout + done.stderr
