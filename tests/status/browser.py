"""A headless Chromium, spoken to by its DevTools protocol over a pair of pipes.

It has a profile of its own that is thrown away, and asks nobody but the page it is sent to.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
]
PATIENCE_SECONDS = 60


class Browser:
    """One page in one browser."""

    def __enter__(self):
        self.profile = tempfile.mkdtemp(prefix="gatehouse-status-")
        asked, self.ask = os.pipe()
        self.answers, answered = os.pipe()
        command = ["sh", "-c", f'exec "$@" 3<&{asked} 4>&{answered}', "sh", "chromium", *FLAGS]
        command += [f"--user-data-dir={self.profile}", "about:blank"]
        self.process = subprocess.Popen(
            command, pass_fds=(asked, answered), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(asked)
        os.close(answered)
        self.received, self.events, self.count, self.session = b"", [], 0, None
        page = self.call("Target.createTarget", url="about:blank")
        target = {"targetId": page["targetId"], "flatten": True}
        self.session = self.call("Target.attachToTarget", **target)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.ask)
        os.close(self.answers)
        shutil.rmtree(self.profile, ignore_errors=True)

    def call(self, method, **params):
        """Asks the browser, and waits for its answer."""
        self.count += 1
        message = {"id": self.count, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.ask, json.dumps(message).encode() + b"\0")
        answer = self.wait(lambda each: each.get("id") == message["id"])
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def wait(self, is_wanted):
        """Waits for one message; events that come before are kept."""
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            while b"\0" in self.received:
                text, self.received = self.received.split(b"\0", 1)
                message = json.loads(text)
                if "id" not in message:
                    self.events.append(message)
                if is_wanted(message):
                    return message
            if not select.select([self.answers], [], [], max(0, end - time.monotonic()))[0]:
                raise TimeoutError("the browser does not answer")
            read = os.read(self.answers, 1 << 20)
            if not read:
                raise RuntimeError("the browser has ended")
            self.received += read

    def loaded(self, act):
        """Does something that loads a page, and waits until it is there."""
        self.events.clear()
        act()
        has_loaded = lambda event: event.get("method") == "Page.loadEventFired"
        if not any(has_loaded(event) for event in self.events):
            self.wait(has_loaded)

    def open(self, url):
        self.loaded(lambda: self.call("Page.navigate", url=url))

    def show(self, width, height, scheme):
        """Sets the size of the window, and which colours its user prefers."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **metrics)
        self.call("Emulation.setScrollbarsHidden", hidden=True)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", features=[feature])

    def evaluate(self, script):
        """What an expression says of the page."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"]["exception"].get("description", script))
        return result["result"].get("value")

    def screenshot(self, whole=True):
        """The page as PNG."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(shot["data"])

    def complaints(self):
        """What the browser said was wrong, and what the page asked of the network beside itself."""
        logged = [e["params"]["entry"]["text"] for e in self.events if e["method"] == "Log.entryAdded"]
        thrown = [str(e["params"]) for e in self.events if e["method"] == "Runtime.exceptionThrown"]
        asked = [e for e in self.events if e["method"] == "Network.requestWillBeSent"]
        others = [e["params"]["request"]["url"] for e in asked if e["params"]["type"] != "Document"]
        return logged + thrown + others
