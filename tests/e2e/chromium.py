# SPDX-License-Identifier: MIT
"""A headless Chromium, driven over --remote-debugging-pipe: messages of JSON, each ended by a NUL, on descriptors 3 and 4."""

import json
import os
import select
import shutil
import subprocess
import time

import harness


class Page:
    """One tab. `errors` are what its console was told as an error or warning, and exceptions that nobody caught."""

    def __init__(self, profile):
        program = shutil.which("chromium")
        assert program is not None, "make setup installs it"
        ours_read, theirs_write = os.pipe()
        theirs_read, ours_write = os.pipe()

        def descriptors():  # the child's 3 and 4; first out of the way, should they be these numbers themselves
            read, write = os.dup(theirs_read), os.dup(theirs_write)
            os.dup2(read, 3)
            os.dup2(write, 4)

        self.process = subprocess.Popen(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--no-proxy-server",
             "--disable-background-networking", f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=descriptors,
            close_fds=False, start_new_session=True)
        os.close(theirs_read)
        os.close(theirs_write)
        self.read, self.write, self.rest, self.number, self.session = ours_read, ours_write, b"", 0, None
        self.errors = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Runtime.enable")
        self.call("Page.enable")

    def _message(self):
        end = time.monotonic() + harness.PATIENCE_S
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.read], [], [], max(0, end - time.monotonic()))
            assert ready, "Chromium says nothing"
            data = os.read(self.read, 65536)
            assert data, "Chromium has ended"
            self.rest += data
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **parameters):
        """The result; events that come before it are looked at for errors."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._message()
            if answer.get("id") == self.number:
                assert "result" in answer, answer
                return answer["result"]
            event = answer.get("params", {})
            if answer.get("method") == "Runtime.exceptionThrown":
                details = event["exceptionDetails"]
                self.errors.append(details.get("exception", {}).get("description", details["text"]))
            elif answer.get("method") == "Runtime.consoleAPICalled" and event["type"] in ("error", "warning", "assert"):
                self.errors.append(" ".join(str(a.get("value", a.get("description"))) for a in event["args"]))

    def evaluate(self, expression):
        """The value of an expression, waited for if it is a promise."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, condition):
        """Until a change of the document makes the condition true."""
        self.evaluate(f"""new Promise((done) => {{
            const look = () => ({condition}) && (observer.disconnect(), done());
            const observer = new MutationObserver(look);
            observer.observe(document, {{ subtree: true, childList: true, attributes: true, characterData: true }});
            look();
        }})""")

    def open(self, url, arrives_at=None):
        """arrives_at: where redirects lead."""
        self.call("Page.navigate", url=url)
        harness.until(lambda: self.evaluate(f"location.href === {json.dumps(arrives_at or url)} && document.body !== null"), f"{url} in Chromium")

    def click(self, selector):
        """As a mouse does, in the middle of it."""
        x, y = self.evaluate(f"(() => {{ const r = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
                             " return [r.x + r.width / 2, r.y + r.height / 2]; })()")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def close(self):
        for descriptor in (self.write, self.read):  # Chromium ends with its pipe
            os.close(descriptor)
        try:
            self.process.wait(harness.PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
