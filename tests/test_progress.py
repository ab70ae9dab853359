"""Progress of long steps: a bar on a terminal, lines with percent and time left where piped."""

import io
import re
import sys
import time

import pytest

from lift2to3 import progress as module
from lift2to3.progress import progress


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUIET_S", 0.05)
    monkeypatch.setattr(module, "EVERY_S", 0.02)


def test_a_short_step_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("lifting") as advance:
        advance(1, 2)
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("hasty")
def test_piped_lines_tell_phase_percent_and_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("lifting", start=2) as advance:
        time.sleep(0.1)
        advance(4, 10, "loss 0.3")  # two units in over 0.1 s, six are left
        time.sleep(0.1)
    out, err = capsys.readouterr()
    first, *_, last = err.splitlines()
    assert out == "" and re.fullmatch(r"lifting, \d s so far", first)
    assert re.fullmatch(r"lifting 40 %, \d s left  loss 0.3", last)


@pytest.mark.usefixtures("hasty")
def test_the_next_phase_has_its_name_and_its_own_time(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("lifting") as advance:
        advance(4, 4)
        time.sleep(0.1)
        advance(1, 5, phase="refining")
        time.sleep(0.1)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "lifting 100 %, 0 s left" and lines[-1] == "refining 20 %, 0 s left"


@pytest.mark.usefixtures("hasty")
def test_lines_stop_where_the_step_fails(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="no camera"), progress("lifting"):
        raise ValueError("no camera")
    time.sleep(0.1)
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("hasty")
def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    with progress("refining") as advance:
        advance(1, 4)
        time.sleep(0.3)
    assert "refining" in screen.getvalue() and " 25%" in screen.getvalue()
    assert "\x1b[2K" in screen.getvalue(), "the bar goes away at the end"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (99, "99 s"), (240, "4 min"), (5400, "90 min"), (9000, "2.5 h")]
)
def test_durations_are_rounded(seconds: float, text: str) -> None:
    assert module._duration(seconds) == text
