"""A real browser that plays and shows files, and says in numbers what it saw.

Chromium of the system, driven by Playwright; files are served on loopback with byte ranges, as a web server would.
Nothing else on any network can be reached from its pages.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest

PROGRAM: Final = "chromium"
# The most that Chromium plays; it decodes every picture all the same.
RATE_MAX: Final = 16.0
AT_ONCE: Final = 4
# Bare sites have no sandbox of their own user; the samples are our own derivatives.
ARGUMENTS: Final = (
    "--no-sandbox", "--mute-audio", "--autoplay-policy=no-user-gesture-required", "--disable-gpu",
    "--force-color-profile=srgb",
)  # fmt: skip
MIMES: Final = {
    ".mp4": "video/mp4", ".m4a": "audio/mp4", ".jpg": "image/jpeg", ".webp": "image/webp", ".png": "image/png",
    ".avif": "image/avif", ".gif": "image/gif", ".vtt": "text/vtt", ".webm": "video/webm",
}  # fmt: skip
PIECE_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class Played:
    """What the browser says of one recording after it tried to play it from its beginning to its end.

    duration_s: as the browser declares it. reached_s: where it stood at last. frames: pictures it decoded, 0 for
    sound. sound_bytes: of sound it decoded. error: '' where it ended well.
    """

    duration_s: float
    reached_s: float
    ended: bool
    frames: int
    sound_bytes: int
    width: int
    height: int
    error: str


@dataclass(frozen=True)
class Shown:
    """What the browser says of one picture. error: '' where it decoded whole."""

    width: int
    height: int
    error: str


class Screen:
    """A page of the browser, and the files that it may see."""

    def __init__(self, page: Any, files: dict[str, Path], address: str) -> None:
        self.page, self._files, self._address = page, files, address

    def address_of(self, path: Path) -> str:
        """Where the page finds this file."""
        name = f"/{len(self._files)}{path.suffix}"
        self._files[name] = path
        return self._address + name

    def played(self, paths: Sequence[Path], *, rate: float = RATE_MAX, at_once: int = AT_ONCE) -> list[Played]:
        """Every recording played to its end, several at once, in the order given."""
        told = {"files": [self.address_of(path) for path in paths], "rate": rate, "atOnce": at_once}
        return [Played(**one) for one in self.page.evaluate(PLAY, told)]

    def shown(self, paths: Sequence[Path]) -> list[Shown]:
        """Every picture decoded, in the order given."""
        told = {"files": [self.address_of(path) for path in paths], "atOnce": AT_ONCE}
        return [Shown(**one) for one in self.page.evaluate(SHOW, told)]

    def colours(self, path: Path, places: Sequence[tuple[float, float]]) -> list[tuple[int, int, int]]:
        """sRGB colours of a picture on white, at shares of its width and height."""
        told = {"file": self.address_of(path), "places": [list(place) for place in places]}
        return [tuple(colour) for colour in self.page.evaluate(PICK, told)]

    def cues(self, paths: Sequence[Path]) -> list[list[tuple[float, float, str]]]:
        """(start, end, text) of every cue of WebVTT maps, as the browser reads them; empty where it does not."""
        told = {"files": [self.address_of(path) for path in paths], "atOnce": AT_ONCE}
        return [[tuple(cue) for cue in cues] for cues in self.page.evaluate(READ_CUES, told)]


@contextlib.contextmanager
def chromium(*names: str) -> Iterator[Any]:
    """The running browser. The test is skipped where there is none, and fails in CI.

    names: what leads anywhere besides the address of loopback; no other name does.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say("Chromium is not installed; on Debian: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        known = "".join(f", EXCLUDE {one}" for one in ("127.0.0.1", *names))
        arguments = [*ARGUMENTS, f"--host-resolver-rules=MAP * ~NOTFOUND{known}"]
        browser = driver.chromium.launch(executable_path=program, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


def until(page: Any, *conditions: str) -> None:
    """Waits within the page until each of these, in its turn, holds: what passes quickly is seen too."""
    pause = "await new Promise((resolve) => setTimeout(resolve, 10))"
    page.evaluate("async () => {" + "\n".join(
        f"for (let left = 3000; !({one}); left--) {{ if (!left) throw new Error({one!r}); {pause}; }}"
        for one in conditions
    ) + "}")  # fmt: skip


@contextlib.contextmanager
def screen() -> Iterator[Screen]:
    """An open page, in a browser of its own."""
    files: dict[str, Path] = {}
    with _served(files) as address, chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(0)
        page.goto(address + "/")
        yield Screen(page, files, address)


@contextlib.contextmanager
def _served(files: dict[str, Path]) -> Iterator[str]:
    """The address of a server on loopback that answers with these files and an empty page."""

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = files.get(self.path)
            if path is not None:
                _answer(self, path)
            else:
                self._say_empty(HTTPStatus.OK if self.path == "/" else HTTPStatus.NOT_FOUND)

        def _say_empty(self, status: HTTPStatus) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="files for the browser", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _answer(request: BaseHTTPRequestHandler, path: Path) -> None:
    """The file or the range of it that was asked for (RFC 9110, section 14)."""
    size = path.stat().st_size
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))
    first = int(asked.group(1)) if asked else 0
    last = min(int(asked.group(2)), size - 1) if asked and asked.group(2) else size - 1
    if first > last and size:
        request.send_error(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
        return
    request.send_response(HTTPStatus.PARTIAL_CONTENT if asked else HTTPStatus.OK)
    request.send_header("Content-Type", MIMES[path.suffix])
    request.send_header("Content-Length", str(last - first + 1))
    request.send_header("Accept-Ranges", "bytes")
    if asked:
        request.send_header("Content-Range", f"bytes {first}-{last}/{size}")
    request.end_headers()
    # The browser hangs up whenever it has enough.
    with contextlib.suppress(ConnectionError), path.open("rb") as stream:
        stream.seek(first)
        left = last - first + 1
        while left > 0 and (piece := stream.read(min(PIECE_BYTES, left))):
            request.wfile.write(piece)
            left -= len(piece)


_IN_TURN: Final = """
const inTurn = async (files, atOnce, act) => {
  const results = new Array(files.length);
  let next = 0;
  const work = async () => {
    while (next < files.length) { const own = next++; results[own] = await act(files[own]); }
  };
  await Promise.all(Array.from({length: Math.max(1, atOnce)}, work));
  return results;
};
"""

PLAY: Final = (
    "async ({files, rate, atOnce}) => {"
    + _IN_TURN
    + """
  const play = (file) => new Promise((resolve) => {
    const one = document.createElement("video");
    one.muted = true;
    one.preload = "auto";
    let timer;
    const end = (error) => {
      clearTimeout(timer);
      const quality = one.getVideoPlaybackQuality();
      resolve({
        duration_s: Number.isFinite(one.duration) ? one.duration : -1, reached_s: one.currentTime, ended: one.ended,
        frames: Math.max(quality.totalVideoFrames, one.webkitDecodedFrameCount || 0),
        sound_bytes: one.webkitAudioDecodedByteCount || 0,
        width: one.videoWidth, height: one.videoHeight, error,
      });
      one.removeAttribute("src");
      one.load();
      one.remove();
    };
    const said = () => one.error ? `${one.error.code} ${one.error.message}` : "";
    timer = setTimeout(() => end("nothing came of it in 20 s"), 20000);
    one.addEventListener("error", () => end(said() || "error"));
    one.addEventListener("ended", () => end(said()));
    one.addEventListener("loadedmetadata", () => {
      clearTimeout(timer);
      const allowed = 20000 + 4000 * one.duration / rate;
      timer = setTimeout(() => end(`not at its end after ${allowed / 1000} s`), allowed);
      one.playbackRate = rate;
      one.play().catch((error) => end(String(error)));
    });
    document.body.append(one);
    one.src = file;
  });
  return inTurn(files, atOnce, play);
}"""
)

SHOW: Final = (
    "async ({files, atOnce}) => {"
    + _IN_TURN
    + """
  const show = async (file) => {
    const one = new Image();
    one.src = file;
    let error = "";
    try { await one.decode(); } catch (thrown) { error = String(thrown); }
    return {width: one.naturalWidth, height: one.naturalHeight, error};
  };
  return inTurn(files, atOnce, show);
}"""
)

PICK: Final = """async ({file, places}) => {
  const one = new Image();
  one.src = file;
  await one.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [one.naturalWidth, one.naturalHeight];
  const drawing = canvas.getContext("2d");
  drawing.fillStyle = "white";
  drawing.fillRect(0, 0, canvas.width, canvas.height);
  drawing.drawImage(one, 0, 0);
  return places.map(([x, y]) => Array.from(
    drawing.getImageData(Math.floor(x * canvas.width), Math.floor(y * canvas.height), 1, 1).data.slice(0, 3)));
}"""

READ_CUES: Final = (
    "async ({files, atOnce}) => {"
    + _IN_TURN
    + """
  const read = (file) => new Promise((resolve) => {
    const video = document.createElement("video");
    const track = document.createElement("track");
    track.kind = "metadata";
    track.addEventListener("load", () => {
      resolve(Array.from(track.track.cues, (cue) => [cue.startTime, cue.endTime, cue.text]));
      video.remove();
    });
    track.addEventListener("error", () => resolve([]));
    video.append(track);
    document.body.append(video);
    track.track.mode = "hidden";
    track.src = file;
  });
  return inTurn(files, atOnce, read);
}"""
)
