"""A headless Chromium, spoken to through its own pipe: what a page asks for, what it says, how it looks."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Without a picture of a person's own settings, and nothing of the browser's own that speaks to the network.
SWITCHES = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
    "--no-first-run", "--remote-debugging-pipe", "--window-size=1400,1000",
)  # fmt: skip


class Page:
    """One tab. Requests and messages that came so far are in `events`."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing, self._number, self._held = reading, writing, 0, b""
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def open(self, path: Path) -> None:
        """Open a file, and wait until all of it has loaded."""
        self.call("Page.navigate", url=path.resolve().as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.events.append(self._message())

    def requests(self) -> list[str]:
        """What was asked for, the page itself among it."""
        sent = [event["params"] for event in self.events if event["method"] == "Network.requestWillBeSent"]
        return [event["request"]["url"] for event in sent]

    def complaints(self) -> list[str]:
        """What the browser has written on its console."""
        return [event["params"]["entry"]["text"] for event in self.events if event["method"] == "Log.entryAdded"]

    def value(self, expression: str) -> Any:
        """What an expression in the page's language gives."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"]["value"]

    def screenshot(self, path: Path) -> None:
        """Save what is seen."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call the browser, and wait for its answer."""
        self._number += 1
        words: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            words["sessionId"] = self._session
        os.write(self._writing, json.dumps(words).encode() + b"\0")
        while True:
            message = self._message()
            if message.get("id") == self._number:
                assert "error" not in message, message
                return message["result"]
            self.events.append(message)

    def _message(self) -> dict[str, Any]:
        while b"\0" not in self._held:
            came = os.read(self._reading, 1 << 20)
            assert came, "Chromium has ended"
            self._held += came
        message, _, self._held = self._held.partition(b"\0")
        return json.loads(message)


@contextmanager
def chromium(folder: Path) -> Iterator[Page]:
    """Start Chromium with its settings in a folder of its own; skip the test where there is none."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip(f"no Chromium on PATH ({', '.join(NAMES)}); apt-get install chromium brings one")
    their_reading, writing = os.pipe()
    reading, their_writing = os.pipe()
    words = [program, *SWITCHES, f"--user-data-dir={folder}", "about:blank"]
    shell = ["bash", "-c", f'exec "$@" 3<&{their_reading} 4>&{their_writing}', "bash", *words]
    with (folder.parent / "chromium.log").open("wb") as log:
        running = subprocess.Popen(
            shell, pass_fds=(their_reading, their_writing), stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
    os.close(their_reading)
    os.close(their_writing)
    try:
        yield Page(reading, writing)
    finally:
        running.terminate()
        running.wait(timeout=30)
        os.close(reading)
        os.close(writing)
