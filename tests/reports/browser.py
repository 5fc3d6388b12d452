"""A headless Chromium, spoken to through its own protocol: no driver has to be installed."""

import base64
import contextlib
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

from tornado.ioloop import IOLoop
from tornado.websocket import websocket_connect


def find_chromium():
    """The command of a Chromium on this machine, or None."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


class Browser:
    """One page at a time; collects what it asks the network for and what the console says."""

    def __init__(self, port):
        self.loop = IOLoop(make_current=False)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
            pages = json.load(answer)
        address = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
        self.socket = self.loop.run_sync(lambda: websocket_connect(address, max_message_size=1 << 28))
        self.number = 0
        self.events = []
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.ask(f"{domain}.enable")

    def ask(self, method, **params):
        """Send a command and wait for its answer; events that come meanwhile are kept."""
        self.number += 1
        self.socket.write_message(json.dumps({"id": self.number, "method": method, "params": params}))
        while True:
            message = json.loads(self.loop.run_sync(self.socket.read_message))
            if message.get("id") == self.number:
                assert "error" not in message, message
                return message["result"]
            self.events.append(message)

    def open(self, path, *, width=1280, height=800, dark=False, phone=False, print_media=False):
        """Open a file as a reader would, on a screen of that size."""
        self.events.clear()
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.ask("Emulation.setEmulatedMedia", media="print" if print_media else "", features=features)
        self.ask("Page.navigate", url=Path(path).resolve().as_uri())
        end = time.monotonic() + 20
        while self.evaluate("document.readyState") != "complete":
            assert time.monotonic() < end, "the page did not load"
            time.sleep(0.05)
        time.sleep(0.2)
        self.evaluate("1")

    def evaluate(self, script):
        """Run a script of ours in the page; it stands outside the page's policy."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    @property
    def requests(self):
        """Every address that the page asked for, itself and what it carries inside left out."""
        asked = [e["params"]["request"]["url"] for e in self.events if e["method"] == "Network.requestWillBeSent"]
        return [address for address in asked if not address.startswith(("file:", "data:"))]

    @property
    def complaints(self):
        """What the console, the policy and the scripts complained about."""
        said = [e["params"]["entry"]["text"] for e in self.events if e["method"] == "Log.entryAdded"]
        said += [
            str(e["params"])
            for e in self.events
            if e["method"] in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled")
        ]
        return said

    def screenshot(self, path, *, whole=False):
        """Take a picture of what is seen, or of the whole page."""
        shot = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        Path(path).write_bytes(base64.b64decode(shot["data"]))


@contextlib.contextmanager
def chromium(command):
    """Start a browser without a network to speak of, with a profile of its own."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-port=0"]
        quiet = ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
        allow = ["--remote-allow-origins=*", f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(
            [command, *flags, *quiet, *allow], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            told = Path(profile) / "DevToolsActivePort"
            end = time.monotonic() + 30
            while not told.exists() or not told.read_text().strip():
                assert time.monotonic() < end, "the browser did not start"
                time.sleep(0.05)
            yield Browser(int(told.read_text().splitlines()[0]))
        finally:
            process.terminate()
            process.wait(timeout=10)
