# SPDX-License-Identifier: MIT
"""Limits of an address, proxies and what they say, administration while pages are full, invalidation."""

import os
import resource
import signal
import socket
import struct

import pytest

import harness

QUIET = {"bundle": {"warmup": []}}
HEADERS = "globalThis.renderPage = (url, data, request) => JSON.stringify([...request.headers]);"


def test_one_address_has_so_many_connections_over_all_workers(ssrd):
    server = ssrd(harness.HELLO, {**QUIET, "workers": 2, "http": {"limit": {"connections": 5}}})
    clients = [server.connect() for _ in range(5)]
    assert [c.get("/").status for c in clients] == [200] * 5
    with server.connect() as one_more:
        answer = one_more.answer()
        assert (answer.status, answer["retry-after"], answer["connection"]) == (429, "1", "close")
    assert [c.get("/").status for c in clients] == [200] * 5
    clients.pop().close()

    def is_free():
        with server.connect() as client:
            try:
                return client.get("/").status == 200
            except (harness.Closed, OSError):
                return False
    assert harness.until(is_free, "a place that has become free")


def test_connections_of_a_killed_worker_do_not_count_for_ever(ssrd):
    server = ssrd(harness.HELLO, {**QUIET, "http": {"limit": {"connections": 3}}})
    server.ctl("reload")  # its worker has another row than the first one's, which is free again then
    harness.until(lambda: len(server.status()["workers"]) == 1, "the end of the first worker")
    clients = [server.connect() for _ in range(3)]
    assert [c.get("/").status for c in clients] == [200] * 3
    os.kill(server.workers()[0], signal.SIGKILL)

    def is_free():
        with server.connect() as client:
            try:
                return client.get("/").status == 200
            except (harness.Closed, OSError):
                return False
    assert harness.until(is_free, "a place in the worker that came after")


def test_one_address_makes_so_many_requests_over_all_workers(ssrd):
    server = ssrd(harness.HELLO, {**QUIET, "workers": 2, "http": {"limit": {"requests": "20/h"}}})
    statuses = [server.get("/").status for _ in range(30)]
    assert statuses == [200] * 20 + [429] * 10
    assert server.admin("/healthz").status == 200


def test_forwarded_fields_are_taken_out_unless_the_peer_is_trusted(ssrd):
    fields = {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https", "Forwarded": "for=1.2.3.4"}
    server = ssrd(HEADERS, QUIET)
    assert "orwarded" not in server.get("/", headers=fields).text
    for name, value in fields.items():
        assert "orwarded" not in server.get("/", headers={name: value}).text, name
    trusting = ssrd(HEADERS, {**QUIET, "http": {"trusted": ["127.0.0.0/8"]}}).get("/", headers=fields).text
    assert "x-forwarded-proto" in trusting and "forwarded" in trusting


ORIGIN = "globalThis.renderPage = (url, data, request) => request.url;"


def test_request_url_is_what_the_client_asked_a_trusted_proxy_for(ssrd):
    server = ssrd(ORIGIN, {**QUIET, "workers": 2, "http": {"trusted": ["127.0.0.1"]}})

    def ask(**fields):
        return server.get("/p?a=1", headers={"Host": "inner", **{k.replace("_", "-"): v for k, v in fields.items()}})
    assert ask().text == "http://inner/p?a=1"
    assert ask(X_Forwarded_Proto="https").text == "https://inner/p?a=1"
    assert ask(X_Forwarded_Proto="https", X_Forwarded_Host="Shop.example").text == "https://shop.example/p?a=1"
    standard = ask(Forwarded='for=192.0.2.1;proto=https;host="shop.example"')
    assert standard.text == "https://shop.example/p?a=1" and " hit" in standard.cache
    assert ask(X_Forwarded_Proto="https", Host="shop.example").text == "https://shop.example/p?a=1"
    assert ask(X_Forwarded_Proto="http").text == "http://inner/p?a=1"
    server.ctl("purge", "https://shop.example/p?a=1")
    assert " hit" not in ask(X_Forwarded_Proto="https", X_Forwarded_Host="shop.example").cache


def test_an_address_that_is_not_trusted_poisons_no_page(ssrd):
    server = ssrd(ORIGIN, {**QUIET, "workers": 1, "http": {"trusted": ["192.0.2.1"]}})
    evil = {"Host": "shop", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil", "Forwarded": "host=evil;proto=https"}
    assert server.get("/", headers=evil).text == "http://shop/"
    after = server.get("/", headers={"Host": "shop"})
    assert after.text == "http://shop/" and " hit" in after.cache


@pytest.mark.parametrize("header", [
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\x00\x01\x00\x02",
])
def test_a_proxy_header_names_the_client(ssrd, header):
    server = ssrd(harness.HELLO, {**QUIET, "log": {"access": "stderr"}, "http": {"proxy_protocol": True}})
    with server.connect() as client:
        client.send(header)
        assert client.get("/").status == 200
    harness.until(lambda: "\n192.0.2.1 - " in server.log, "the client's address in the access log")
    with server.connect() as client, pytest.raises(harness.Closed):
        client.get("/")


def flood_and_read(client):
    """All that the server says to somebody who sends much and reads late; a reset is an error."""
    try:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 2000)
    except (BrokenPipeError, ConnectionResetError):
        pass  # it has gone by now: what it said is here already
    said = b""
    while data := client.socket.recv(65536):
        said += data
    return said


def test_one_connection_too_many_of_an_address_sees_its_429(ssrd):
    server = ssrd(harness.HELLO, {**QUIET, "workers": 1, "http": {"limit": {"connections": 1}}})
    with server.connect() as first:
        assert first.get("/").status == 200
        with server.connect() as second:
            said = flood_and_read(second)
        assert said.startswith(b"HTTP/1.1 429 ") and said.count(b"HTTP/1.1") == 1 and b"Retry-After: 1\r\n" in said
        assert first.get("/").status == 200


def test_one_connection_too_many_for_all_sees_its_503(ssrd):
    server = ssrd("globalThis.renderPage = () => new Promise(() => setTimeout(() => {}, 1e6));",
                  {**QUIET, "workers": 1, "http": {"connections": 2}, "render": {"timeout": "60s"}})
    busy = [server.connect() for _ in range(2)]
    for client in busy:
        client.request("/")
    with server.connect() as late:
        said = flood_and_read(late)
    assert said.startswith(b"HTTP/1.1 503 ") and said.count(b"HTTP/1.1") == 1 and b"Retry-After: 1\r\n" in said
    busy[0].socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    busy.pop(0).close()  # by a reset: who only closes may still want the answer

    def is_free():
        with server.connect() as client:
            client.request("/", method="DELETE")  # told 405 at once, where there is room
            try:
                return client.answer().status == 405
            except harness.Closed:
                return False
    assert harness.until(is_free, "a place that has become free")
    for client in busy:
        client.close()


def pss_bytes(server):
    total = 0
    for pid in server.workers():
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            total += 1024 * sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    return total


def test_an_idle_connection_takes_at_most_4_kb(ssrd):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # of this process, for the clients
    count = min(5000, hard - 300)
    server = ssrd(harness.HELLO, {**QUIET, "workers": 2})
    clients = [server.connect() for _ in range(50)]
    for client in clients:
        assert client.get("/").status == 200  # in both workers what is made once is made
    before = pss_bytes(server)
    for _ in range(count):
        clients.append(server.connect())
        assert clients[-1].get("/").status == 200
    assert sum(worker["connections"] for worker in server.status()["workers"]) > count
    assert (pss_bytes(server) - before) / count <= 4096
    for client in clients:
        client.close()


def test_more_connections_than_a_shell_allows_descriptors(ssrd):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    server = ssrd(harness.HELLO, {**QUIET, "workers": 1},
                  preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard)))
    clients = [server.connect() for _ in range(100)]
    assert [client.get("/").status for client in clients] == [200] * 100
    for client in clients:
        client.close()


def test_health_is_told_while_all_places_for_pages_are_taken(ssrd):
    server = ssrd("globalThis.renderPage = () => new Promise(() => setTimeout(() => {}, 1e6));",
                  {**QUIET, "workers": 1, "http": {"connections": 2}, "render": {"timeout": "60s"}})
    clients = [server.connect() for _ in range(2)]
    for client in clients:
        client.request("/")
    late = server.connect()
    late.request("/")
    assert server.admin("/healthz").status == 200
    for client in (*clients, late):
        client.close()


def test_a_successful_post_takes_its_page_out_of_the_caches(ssrd):
    server = ssrd("let n = 0; globalThis.fetchHandler = (request) => request.method === 'GET'"
                  " ? new Response('render ' + ++n, {headers: {'cache-control': 'max-age=60'}})"
                  " : new Response(null, {status: new URL(request.url).pathname === '/fails' ? 500 : 204,"
                  " headers: {'content-location': '/other'}});", {**QUIET, "workers": 1})
    page, other = server.get("/p").body, server.get("/other").body
    assert server.get("/p", method="POST", body=b"x").status == 204
    assert server.get("/p").body != page and server.get("/other").body != other
    page = server.get("/fails").body
    assert server.get("/fails", method="DELETE").status == 500
    assert server.get("/fails").body == page
