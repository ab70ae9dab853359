"""A page in a headless Chromium, spoken to over its debugging pipe: no driver, no package."""

from __future__ import annotations

import base64
import itertools
import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
FLAGS = (
    "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-quic",
    "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars",
)  # fmt: skip

# Chromium wants the pipe's ends as descriptors 3 and 4.
_START = """
import fcntl, os, sys
commands, replies = (fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3])
os.dup2(commands, 3), os.dup2(replies, 4)
os.execvp(sys.argv[3], sys.argv[3:])
"""


def find_chromium() -> str | None:
    """$CHROMIUM, else one on the PATH, else one that Playwright downloaded."""
    named = os.environ.get("CHROMIUM")
    if named:
        return named
    for name in NAMES:
        if found := shutil.which(name):
            return found
    downloads = Path.home() / ".cache" / "ms-playwright"
    return next((str(path) for path in sorted(downloads.glob("chromium-*/chrome-linux*/chrome"))), None)


class Browser:
    """One page; use as a context. ``errors``: what the page complains of; ``requests``: what it loads."""

    def __init__(self, program: str, profile: Path, size: tuple[int, int] = (1400, 1000)) -> None:
        self.errors: list[str] = []
        self.requests: list[str] = []
        self._ids = itertools.count(1)
        self._pending = b""
        read_commands, self._commands = os.pipe()
        self._replies, write_replies = os.pipe()
        window = f"--window-size={size[0]},{size[1]}"
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, str(read_commands), str(write_replies), program, *FLAGS, window,
             f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(read_commands, write_replies), stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(read_commands)
        os.close(write_replies)
        self._session: dict[str, str] = {}
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._session = {"sessionId": session}
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        self.resize(*size)

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(timeout=20)
        os.close(self._commands)
        os.close(self._replies)

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The reply to one command of the DevTools protocol."""
        number = next(self._ids)
        command = {"id": number, "method": method, "params": parameters, **self._session}
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        while True:
            message = self._receive()
            if message.get("id") == number:
                assert "error" not in message, f"{method}: {message['error']}"
                return message["result"]
            self._note(message)

    def _receive(self, timeout_s: float = 60.0) -> dict[str, Any]:
        while b"\0" not in self._pending:
            ready, _, _ = select.select([self._replies], [], [], timeout_s)
            part = os.read(self._replies, 1 << 20) if ready else b""
            assert part, f"the browser fell silent (exit code {self._process.poll()})"
            self._pending += part
        text, self._pending = self._pending.split(b"\0", 1)
        return json.loads(text)

    def _note(self, message: dict[str, Any]) -> None:
        said = message.get("params", {})
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.errors.append(json.dumps(said["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if said["type"] in ("error", "warning", "assert"):
                self.errors.append(json.dumps(said["args"]))
            case "Log.entryAdded" if said["entry"]["level"] in ("error", "warning"):
                self.errors.append(json.dumps(said["entry"]))
            case "Network.requestWillBeSent":
                self.requests.append(said["request"]["url"])

    def resize(self, width: int, height: int) -> None:
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def prefer(self, scheme: str) -> None:
        """``light`` or ``dark``."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.send("Emulation.setEmulatedMedia", features=[feature])

    def open(self, path: Path) -> None:
        self.send("Page.navigate", url=path.resolve().as_uri())
        self.wait_for("document.readyState === 'complete' && location.protocol === 'file:'")

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        reply = self.send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, userGesture=True
        )
        assert "exceptionDetails" not in reply, reply["exceptionDetails"]
        return reply["result"].get("value")

    def wait_for(self, expression: str, timeout_s: float = 60.0) -> None:
        """Until the expression is true."""
        end = time.monotonic() + timeout_s
        while not self.evaluate(expression):
            assert time.monotonic() < end, f"never came true: {expression}"
            time.sleep(0.05)

    def press(self, key: str, text: str = "") -> None:
        for kind in ("keyDown", "keyUp"):
            typed = {"text": text} if text and kind == "keyDown" else {}
            self.send("Input.dispatchKeyEvent", type=kind, key=key, **typed)

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """``mousePressed``, ``mouseMoved``, ``mouseReleased`` or ``mouseWheel`` at a place of the page."""
        button = {} if kind == "mouseWheel" else {"button": "left", "buttons": 1, "clickCount": 1}
        self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **{**button, **more})

    def screenshot(self, path: Path, whole: bool = False) -> None:
        """The visible part as png, or the whole page."""
        reply = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(reply["data"]))
