# SPDX-License-Identifier: MIT
"""The Hono example: a framework's fetch handler in ES modules of many files."""

import json
import os
import shutil

import pytest

import harness

DIST = os.path.join(harness.BUILD, "examples", "hono", "dist")


@pytest.fixture
def hono(ssrd, tmp_path):
    assert os.path.exists(os.path.join(DIST, "server.js")), "make test builds the example"
    shutil.copytree(DIST, tmp_path, dirs_exist_ok=True)

    def start(**config):
        return ssrd(None, {"env": {"NAME": "Grüße"}, **config})
    return start


@pytest.mark.parametrize("start", ["warm", "cold"])
def test_pages(hono, start):
    server = hono(start=start)
    assert server.wait_log(r'is="an ES module that exports default\.fetch')
    home = server.get("/")
    assert (home.status, home["content-type"].lower()) == (200, "text/html; charset=utf-8")
    assert "<h1>Guests of Grüße</h1>" in home.text
    assert "hit" in server.get("/").cache
    assert "<p>Guest 7</p>" in server.get("/guests/7").text
    assert "<p>Guest A!</p>" in server.get("/guests/a?shout=1").text
    assert server.get("/count").text == "1 2 3 "
    gone = server.get("/nowhere")
    assert (gone.status, gone.text) == (404, "no such page")


def test_cookies_are_kept_apart(hono):
    server = hono()
    assert server.get("/me", headers={"Cookie": "name=Ada"}).text == "hello Ada"
    assert server.get("/me", headers={"Cookie": "name=Bob"}).text == "hello Bob"
    assert server.get("/me").text == "hello stranger"


def test_forms_and_json(hono):
    server = hono()
    form = server.get("/guests", method="POST", body="name=Zo%C3%AB".encode(),
                      headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert (form.status, json.loads(form.body)) == (201, {"name": "Zoë", "bytes": 0})
    parts = (b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nAda\r\n--x\r\nContent-Disposition: form-data; name="photo"; '
             b'filename="a.png"\r\nContent-Type: image/png\r\n\r\n\x00\xff\x01\r\n--x--\r\n')
    photo = server.get("/guests", method="POST", body=parts, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert (photo.status, json.loads(photo.body)) == (201, {"name": "Ada", "bytes": 3})
    assert server.get("/guests", method="POST", body=b"").status == 422
    echo = server.get("/echo", method="PUT", body=b'{"a": [1, null]}', headers={"Content-Type": "application/json"})
    assert json.loads(echo.body) == {"method": "PUT", "got": {"a": [1, None]}}


def test_an_error_is_told_in_the_sources(hono):
    server = hono()
    assert server.get("/throws").status == 500
    line = server.wait_log("TypeError: a guest is missing")
    assert "src/server.jsx:5" in line
