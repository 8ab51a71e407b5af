"""Commands and buttons through the real python-telegram-bot."""

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from agents.alerts.commands import COMMANDS
from agents.errors import Unavailable
from agents.events import Type
from agents.money import ONE
from agents.sell_out import Left, SellOut, sell_out_data
from tests.unit.actors.telegram.bot_api import BotApi, Fault
from tests.unit.actors.telegram.world import GROUP, OPERATOR, STRANGER, VIEWER, World, buttons


@pytest.fixture
async def fleet(world: World) -> World:
    """Return a fleet of two agents whose notifier has a viewer and a group."""
    await world.supervisor.create({"id": "default", "strategy": "momentum"})
    await world.supervisor.create({"id": "other_one", "strategy": "momentum", "enabled": False})
    await world.supervisor.settled()
    await world.begin(f"{VIEWER}:viewer,{GROUP}:operator")
    return world


def state_of(world: World, agent_id: str = "default") -> str:
    return str(world.supervisor._records[agent_id].state)


async def test_the_menu_has_every_command(fleet: World, api: BotApi) -> None:
    assert api.commands == list(COMMANDS)


async def test_status_counts_agents_by_the_name_of_their_state(fleet: World) -> None:
    await fleet.trade("Will it rain?")
    answer = await fleet.ask(OPERATOR, "/status")
    while "Market:" in answer["shown"]:
        answer = await fleet.ask(OPERATOR, "/status")
    lines = answer["shown"].split("\n")
    assert {"Agents: 2", "🟢 running: 1", "⚪ stopped: 1", "Trades: 1", "Profit: -0.01 pUSD realised"} <= set(lines)
    assert buttons(answer) == ["status", "agents:0"]


async def test_every_reading_command_answers(fleet: World) -> None:
    await fleet.notifier_configure({"levels": {"trade": "off"}})
    await fleet.agent.log(Type.DECISION, Type.TRADE, Type.FORECAST, Type.RESOLUTION)
    expected = {
        "/start": "/status",
        "/help": "/kill",
        "/agents": "other_one stopped",
        "/agent default": "default is running",
        "/profit": "default -0.01 pUSD",
        "/positions": "Will it rain on day 1?",
        "/positions default": "5 Yes @ 0.500",
        "/decisions": "Will it rain?: clouds",
        "/trades default": "buy Yes 2.50 pUSD @ 0.500 Will it rain?",
        "/score": "llm: 1 of 1 events",
        "/levels": "killSwitch: on",
        "/agent nobody": "There is no agent nobody; /agents lists them.",
        "/trades nobody": "There is no agent nobody",
        "/nonsense": "There is no /nonsense",
        "/status@fleet_bot": "Fleet",
    }
    for command, wanted in expected.items():
        assert wanted in (await fleet.ask(OPERATOR, command))["shown"], command


async def test_an_operator_acts_and_is_told_the_new_state(fleet: World) -> None:
    for command, shown, state in (
        ("/pause default", "default is paused", "paused"),
        ("/resume default", "default is running", "running"),
        ("/stopagent default", "default is stop", "stopped"),
        ("/startagent default", "default is ", "running"),
        ("/restart default", "default is ", "running"),
    ):
        answer = await fleet.ask(OPERATOR, command)
        await fleet.supervisor.settled()
        assert shown in answer["shown"]
        assert state_of(fleet) == state
    orders = [event.data["path"] for event in await fleet.logged(Type.AUDIT)]
    assert orders == ["/pause default", "/resume default", "/stop default", "/start default", "/restart default"]
    assert {event.data["by"] for event in await fleet.logged(Type.AUDIT)} == {f"telegram:{OPERATOR}"}
    refused = await fleet.ask(GROUP, "/resume default")
    assert "default" in refused["shown"]
    assert state_of(fleet) == "running"


async def test_buttons_choose_an_agent_and_act_on_it(fleet: World) -> None:
    answer = await fleet.ask(OPERATOR, "/pause")
    assert buttons(answer) == ["do:pause:default"]
    edited = await fleet.press(OPERATOR, "do:pause:default")
    assert edited["shown"].startswith("⏸ default is paused")
    assert buttons(edited) == ["do:resume:default", "do:stop:default", "do:restart:default", "agent:default", "agents:0"]
    assert state_of(fleet) == "paused"


async def test_a_viewer_may_look_and_not_act(fleet: World, api: BotApi) -> None:
    assert "/kill" not in (await fleet.ask(VIEWER, "/help"))["shown"]
    for command in ("/pause default", "/kill", "/levels trade off"):
        assert (await fleet.ask(VIEWER, command))["shown"] == "This chat may look, not act."
    assert buttons(await fleet.ask(VIEWER, "/agent default")) == ["agent:default", "agents:0"]
    for data in ("do:pause:default", f"kill:{int(fleet.now * 1000)}", "level:trade"):
        query = await api.press(VIEWER, data)
        await api.until(partial(api.answered.__contains__, query))
    await fleet.ask(VIEWER, "/status")
    assert state_of(fleet) == "running"
    assert await fleet.logged(Type.RISK) == []


async def test_a_chat_without_a_role_gets_no_answer_and_does_nothing(fleet: World, api: BotApi) -> None:
    await api.say(STRANGER, "/stopagent default", date=int(fleet.now))
    await api.press(STRANGER, "do:stop:default", 1)
    await fleet.ask(OPERATOR, "/help")
    assert fleet.said(STRANGER) == []
    assert api.answered == []
    assert state_of(fleet) == "running"


async def test_the_kill_switch_asks_first_and_its_question_expires(fleet: World) -> None:
    await fleet.notifier_configure({"levels": {"killSwitch": "off"}})
    answer = await fleet.ask(OPERATOR, "/kill")
    confirm, leave, flatten = buttons(answer)
    assert (leave, flatten.partition(":")[0]) == ("leave", "flatten")
    assert await fleet.logged(Type.RISK) == []
    fleet.now += 61
    assert (await fleet.press(OPERATOR, confirm))["shown"] == "That question has expired; /kill asks again."
    assert await fleet.logged(Type.RISK) == []
    confirm = buttons(await fleet.ask(OPERATOR, "/kill"))[0]
    assert (await fleet.press(OPERATOR, confirm))["shown"] == "🛑 All trading is stopped: an operator on Telegram"
    [thrown] = await fleet.logged(Type.RISK)
    assert (thrown.data["on"], thrown.data["reason"]) == (True, "an operator on Telegram")
    lift = buttons(await fleet.ask(OPERATOR, "/kill"))[0]
    assert (await fleet.press(OPERATOR, lift))["shown"] == "Trading is allowed."


async def test_the_kill_switch_sells_out_if_that_is_pressed(fleet: World) -> None:
    await fleet.notifier_configure({"levels": {"killSwitch": "off", "risk": "off"}})
    flatten = buttons(await fleet.ask(OPERATOR, "/kill"))[2]
    shown = (await fleet.press(OPERATOR, flatten))["shown"]
    assert shown == "🛑 All trading is stopped: an operator on Telegram\nWhat agents hold is being sold."
    [thrown] = await fleet.logged(Type.RISK)
    assert (thrown.data["on"], thrown.data["flatten"]) == (True, True)
    left = (Left("a", "101", 5 * ONE, "Will it rain?", "Yes", "nobody bids for them"),)
    await fleet.supervisor.store(Type.RISK, sell_out_data("main", thrown.seq, SellOut({}, left)))
    assert "\n5 Yes Will it rain?: nobody bids for them" in (await fleet.ask(OPERATOR, "/status"))["shown"]


async def test_levels_are_changed_by_command_and_button_and_last(fleet: World) -> None:
    assert "decision: silent" in (await fleet.ask(OPERATOR, "/levels decision silent"))["shown"]
    await fleet.ask(OPERATOR, "/levels")
    assert "decision: off" in (await fleet.press(OPERATOR, "level:decision"))["shown"]
    assert "killSwitch: silent" in (await fleet.press(OPERATOR, "level:killSwitch"))["shown"]
    assert "Say /levels TOPIC" in (await fleet.ask(OPERATOR, "/levels trade loud"))["shown"]
    await fleet.end()
    notifier = await fleet.restart()
    assert (await notifier.configuration())["levels"]["killSwitch"] == "silent"


async def test_a_command_older_than_a_minute_is_answered_with_a_note_and_not_carried_out(fleet: World) -> None:
    answer = await fleet.ask(OPERATOR, "/stopagent default", age=61)
    assert answer["shown"] == "That came 61 s ago and was not carried out (the limit is 60 s); send it again."
    assert state_of(fleet) == "running"


async def test_a_press_that_waited_too_long_is_not_carried_out(fleet: World, api: BotApi) -> None:
    await fleet.ask(OPERATOR, "/agent default")
    api.stale_queries |= {f"q{n}" for n in range(1000)}
    assert (await fleet.press(OPERATOR, "do:stop:default"))["shown"] == (
        "That press came too late, or Telegram could not confirm it, and was not carried out."
    )
    assert state_of(fleet) == "running"


async def test_what_was_handled_is_not_handled_again_after_a_restart(fleet: World, api: BotApi) -> None:
    await fleet.ask(OPERATOR, "/pause default")
    await fleet.until_document("telegram_updates")
    await fleet.end()
    await fleet.restart()
    await fleet.ask(OPERATOR, "/status")
    assert sum("default is paused" in each["shown"] for each in fleet.said(OPERATOR)) == 1


async def test_what_was_said_while_nobody_was_here_is_answered(fleet: World, api: BotApi) -> None:
    await fleet.end()
    await api.say(OPERATOR, "/pause default", date=int(fleet.now) - 30)
    await fleet.restart()
    await api.until(lambda: any("default is paused" in each["shown"] for each in fleet.said(OPERATOR)))


async def test_when_the_supervisor_is_away_that_is_said(fleet: World) -> None:
    fleet.supervisor.gone = True
    assert (await fleet.ask(OPERATOR, "/pause default"))["shown"] == "supervisor is not running now"


async def test_while_the_feed_is_away_positions_are_shown_all_the_same(fleet: World) -> None:
    await fleet.notifier_configure({"levels": {"trade": "off"}})
    await fleet.trade("Will it rain?")
    fleet.feed.gone = True
    assert "token 101" in (await fleet.ask(OPERATOR, "/positions"))["shown"]


async def test_polling_goes_on_after_errors(fleet: World, api: BotApi) -> None:
    faults: Iterator[Fault] = iter([(409, "Conflict: terminated by other getUpdates request", {}), (502, "Bad Gateway", {})])
    api.fault = lambda method, body: next(faults, None) if method == "getUpdates" else None
    assert "Fleet" in (await fleet.ask(OPERATOR, "/status"))["shown"]


async def test_a_kill_switch_that_the_wallets_take_their_time_for_is_answered_at_once(
    fleet: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Any = fleet.supervisor.kill_switch
    over = asyncio.Event()

    async def slow(reason: str | None, flatten: bool) -> int:
        seq: int = await real(reason, flatten)
        await over.wait()
        return seq

    monkeypatch.setattr(fleet.supervisor, "kill_switch", slow)
    confirm = buttons(await fleet.ask(OPERATOR, "/kill"))[0]
    assert "All trading is stopped" in (await fleet.press(OPERATOR, confirm))["shown"]
    over.set()


async def test_a_kill_switch_that_fails_is_said_to_have(fleet: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def gone(reason: str | None, flatten: bool) -> int:
        raise Unavailable("supervisor is not running now")

    monkeypatch.setattr(fleet.supervisor, "kill_switch", gone)
    confirm = buttons(await fleet.ask(OPERATOR, "/kill"))[0]
    assert (await fleet.press(OPERATOR, confirm))["shown"] == "supervisor is not running now"


async def test_a_server_that_knows_no_menu_and_does_not_wait_for_news_does(world: World, api: BotApi) -> None:
    api.fault = lambda method, body: (404, "Not Found", {}) if method == "setMyCommands" else None
    api.patient = False
    await world.begin()
    assert "/status" in (await world.ask(OPERATOR, "/help"))["shown"]
    await api.until(lambda: len(api.offsets) > 3)
    assert max(world.waits) > 0.9


async def test_a_refused_token_is_reported_once_and_tried_again_when_it_is_saved(world: World, api: BotApi) -> None:
    api.fault = lambda method, body: (401, "Unauthorized", {})
    notifier = await world.begin(TELEGRAM_API_URL=api.url + "/")
    await world.trade("kept")
    async with asyncio.timeout(10.0):
        while "sendMessage" not in api.calls or "getMe" not in api.calls:
            await asyncio.sleep(0.005)
    api.fault = lambda method, body: None
    await notifier.configure({})
    await api.until(lambda: any("Market: kept" in each["shown"] for each in api.sent))
    assert [event.data["code"] for event in await world.logged(Type.ERROR)] == ["telegram"]


async def test_the_kill_switch_does_not_depend_on_an_acknowledgement(fleet: World, api: BotApi) -> None:
    confirm = buttons(await fleet.ask(OPERATOR, "/kill"))[0]
    api.fault = lambda method, body: (502, "Bad Gateway", {}) if method == "answerCallbackQuery" else None
    assert "All trading is stopped" in (await fleet.press(OPERATOR, confirm))["shown"]
    assert "not carried out" in (await fleet.press(OPERATOR, "do:stop:default"))["shown"]
    assert state_of(fleet) == "running"
