import pytest
import uvicorn
import uvicorn.config

from supervisor.api import hub_server
from supervisor.api.frames import Frame


def test_a_server_that_is_left_the_choice_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is how Ray Serve makes its servers."""
    monkeypatch.setitem(uvicorn.config.WS_PROTOCOLS, "auto", uvicorn.config.WS_PROTOCOLS["auto"])
    hub_server.install()
    config = uvicorn.Config(lambda: None, factory=True)
    config.load()
    assert config.ws_protocol_class is hub_server.HubProtocol


@pytest.mark.parametrize("length", [0, 125, 126, 65_535, 65_536])
def test_a_frame_says_its_length(length: int) -> None:
    wire = Frame("x" * length).plain
    assert wire[0] == 0x81
    assert wire.endswith(b"x" * length)
    header = {0: 2, 125: 2, 126: 4, 65_535: 4, 65_536: 10}[length]
    assert len(wire) == header + length
    assert int.from_bytes(wire[1 if header == 2 else 2 : header]) == length


def test_short_messages_are_not_deflated() -> None:
    assert Frame("cut \ud83d").plain == Frame("cut ?").plain
    frame = Frame("short")
    assert frame.deflated is frame.plain
    assert len(Frame("long " * 100).deflated) < 60
