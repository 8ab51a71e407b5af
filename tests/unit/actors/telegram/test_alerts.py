"""Alerts through the real python-telegram-bot: exact, grouped, in order, and none lost."""

import asyncio
import inspect
import json
import logging
from collections.abc import Iterator
from functools import partial
from itertools import count
from typing import Any

import pytest

from actors.ledger import LedgerService
from actors.telegram.delivery import Delivery
from agents.events import Type
from tests.unit.actors.telegram.bot_api import TOKEN, BotApi, Fault, markdown
from tests.unit.actors.telegram.world import GROUP, OPERATOR, VIEWER, World
from tests.unit.supervisor.api.stand import NOW

EXACT = """💚 *Polymarket Trade*

Market: Will it rain?
Action: BUY
Amount: 50 USDC
P/L: +12.50 USDC
Time: 11/24/2025, 4:00:00 PM"""


async def test_a_trade_is_told_in_the_seeds_words(world: World, api: BotApi) -> None:
    await world.begin()
    await world.trade("Will it rain?", amount=50, profitLoss=12.5)
    [event] = await world.messages(1)
    [message] = api.sent
    assert message["text"] == EXACT
    assert (message["chat"], message["parse_mode"], message["disable_notification"]) == (str(OPERATOR), "Markdown", False)
    assert event.data == {
        "messageId": event.data["messageId"],
        "message": EXACT,
        "chatId": str(OPERATOR),
        "status": "sent",
        "type": "trade",
        "timestamp": NOW,
    }


async def test_a_burst_is_one_message_and_nothing_is_left_out(world: World, api: BotApi) -> None:
    await world.begin()
    api.gate.clear()
    await world.trade("first")
    await api.until(lambda: len(api.sent) == 1)
    for n in range(60):
        await world.trade(f"question {n} of many")
    api.gate.set()
    await world.messages(3)
    assert all(len(each["text"].encode("utf-16-le")) // 2 <= 4096 for each in api.sent)
    assert len(api.sent) < 8
    told = "\n".join(each["shown"] for each in api.sent).split("\n")
    while sum(line.startswith("Market: ") for line in told) < 61:
        await world.messages(len(api.sent) + 1)
        told = "\n".join(each["shown"] for each in api.sent).split("\n")
    assert [line for line in told if line.startswith("Market: ")] == [
        "Market: first",
        *(f"Market: question {n} of many" for n in range(60)),
    ]


async def test_no_text_from_outside_is_markup_or_a_line_of_its_own(world: World, api: BotApi) -> None:
    await world.begin()
    nasty = "*a* _b_ `c` [d](http://evil) \\_ \\ ]\u202e\nP/L: +1000.00 USDC"
    await world.trade(nasty)
    await world.messages(1)
    lines = api.sent[0]["shown"].split("\n")
    assert lines[2] == "Market: *a* _b_ `c` [d](http://evil) \\_ \\ ] P/L: +1000.00 USDC"
    assert len(lines) == 7
    assert await world.logged(Type.ERROR) == []


async def test_levels_and_switches_choose_what_is_told_and_how(world: World, api: BotApi) -> None:
    notifier = await world.begin()
    await notifier.configure({"levels": {"decision": "silent", "trade": "off"}, "filters": {"minConfidence": 0.8}})
    await world.agent.log(Type.TRADE, Type.DECISION, confidence=0.9, reasoning="said")
    await world.agent.log(Type.DECISION, confidence=0.7, reasoning="unsure")
    await world.messages(1)
    assert "said" in api.sent[0]["shown"]
    assert api.sent[0]["disable_notification"] is True
    await notifier.configure({"levels": {"trade": "on", "decision": "off"}, "notifications": {"trades": False}})
    await world.agent.log(Type.TRADE)
    await world.supervisor.store(Type.RISK, {"kind": "kill_switch", "on": True, "reason": "enough"})
    await world.messages(2)
    assert len(api.sent) == 2
    assert api.sent[1]["shown"] == "🔔 Kill Switch On\nAll trading is stopped: enough"
    assert api.sent[1]["disable_notification"] is False


async def test_every_chat_with_a_role_is_told(world: World, api: BotApi) -> None:
    await world.begin(f"{VIEWER}:viewer,{GROUP}:operator")
    for chat in (VIEWER, GROUP):
        await world.until_document(f"telegram/{chat}")
    await world.trade("for all")
    await world.messages(3)
    assert {each["chat"] for each in api.sent} == {str(OPERATOR), str(VIEWER), str(GROUP)}


async def test_flood_limits_are_kept(world: World, api: BotApi) -> None:
    floods: Iterator[Fault] = iter([(429, "Too Many Requests: retry after 7", {"retry_after": 7})])
    api.fault = lambda method, body: next(floods, None) if method == "sendMessage" else None
    await world.begin()
    await world.trade("held back")
    await world.messages(1)
    assert [each["shown"].split("\n")[2] for each in api.sent] == ["Market: held back"]
    assert 7.0 in world.waits


async def test_errors_of_telegrams_own_are_waited_out_in_order(world: World, api: BotApi) -> None:
    faults: Iterator[Fault] = iter(
        [(500, "Internal Server Error", {}), (502, "Bad Gateway", {}), (429, "Too Many Requests", {})]
    )
    api.fault = lambda method, body: next(faults, None) if method == "sendMessage" else None
    await world.begin()
    await world.trade("one")
    await world.messages(1)
    await world.trade("two")
    await world.messages(2)
    assert [each["shown"].split("\n")[2] for each in api.sent] == ["Market: one", "Market: two"]
    assert [wait for wait in world.waits if wait in (0.1, 0.2, 0.4)][:3] == [0.1, 0.2, 0.4]


async def test_a_text_whose_markup_is_refused_goes_without(world: World, api: BotApi) -> None:
    def fault(method: str, body: dict[str, Any]) -> Fault:
        marked = method == "sendMessage" and body.get("parse_mode")
        return (400, "Bad Request: can't parse entities: whatever", {}) if marked else None

    api.fault = fault
    await world.begin()
    await world.trade("a_b")
    [event] = await world.messages(1)
    assert event.data["status"] == "sent"
    assert api.sent[0]["text"].startswith("❌ Polymarket Trade\n\nMarket: a_b\n")


async def test_a_refused_message_is_logged_as_failed_and_the_next_one_comes(world: World, api: BotApi) -> None:
    refusals: Iterator[Fault] = iter([(400, "Bad Request: message text is empty", {})])
    api.fault = lambda method, body: next(refusals, None) if method == "sendMessage" else None
    await world.begin()
    await world.trade("one")
    [failed] = await world.messages(1)
    await world.trade("two")
    await world.messages(2)
    assert (failed.data["status"], failed.data["error"]) == ("failed", "Bad Request: message text is empty")
    assert [each["shown"].split("\n")[2] for each in api.sent] == ["Market: two"]


def _told_more_than(world: World, count: int) -> bool:
    return sum("Market: " in each["shown"] for each in world.said(OPERATOR)) > count


async def test_a_chat_that_blocked_the_bot_is_reported_once_and_told_when_it_is_back(world: World, api: BotApi) -> None:
    await world.begin(f"{VIEWER}:viewer")
    await world.until_document(f"telegram/{VIEWER}")
    api.blocked.add(str(VIEWER))
    for n in range(3):
        await world.trade(f"trade {n}")
        await api.until(partial(_told_more_than, world, n))
    await world.messages(4)
    failed = [event for event in await world.logged(Type.TELEGRAM) if event.data["status"] == "failed"]
    assert [(event.data["chatId"], event.data["error"]) for event in failed] == [
        (str(VIEWER), "Forbidden: bot was blocked by the user")
    ]
    [error] = await world.logged(Type.ERROR)
    assert error.data["code"] == "telegram"
    await world.end()
    await world.restart()
    assert len(await world.logged(Type.ERROR)) == 1
    api.blocked.clear()
    await api.say(VIEWER, "/help", date=int(world.now))
    await api.until(lambda: any("were not sent" in each["shown"] for each in world.said(VIEWER)))
    await world.trade("back")
    await api.until(lambda: any("Market: back" in each["shown"] for each in world.said(VIEWER)))
    assert not any("Market: trade 2" in each["shown"] for each in world.said(VIEWER))


async def test_a_day_is_summed_up_once(world: World, api: BotApi) -> None:
    await world.begin()
    await world.supervisor.create({"id": "default", "strategy": "momentum"})
    await world.supervisor.settled()
    await world.trade("today")
    await world.messages(1)
    world.now += 24 * 3600
    await world.supervisor.store(Type.RISK, {"message": "a new day", "blocked": "x"})
    await api.until(lambda: any("Daily Summary" in each["shown"] for each in api.sent))
    [summary] = [each for each in api.sent if "Daily Summary" in each["shown"]]
    assert "Day: 2025-11-24 (UTC)" in summary["shown"]
    assert "Trades: 1" in summary["shown"]
    assert summary["disable_notification"] is True


async def test_what_was_logged_while_nobody_was_here_is_told_later(world: World, api: BotApi) -> None:
    await world.begin()
    await world.end()
    await world.trade("meanwhile")
    await world.restart()
    await world.messages(1)
    assert [each["shown"].split("\n")[2] for each in api.sent] == ["Market: meanwhile"]


async def test_what_left_the_log_untold_is_said(world: World, api: BotApi, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.begin()
    await world.end()
    first = await world.trade("dropped")
    await world.trade("kept")
    monkeypatch.setattr(world.ledger, "_floor", first + 1)
    await world.restart()
    await world.messages(1)
    assert api.sent[0]["shown"].startswith("⚠️ Events ")
    assert "have left the log before they could be told." in api.sent[0]["shown"]
    assert "Market: kept" in api.sent[0]["shown"]


async def test_alerts_of_more_than_a_day_ago_are_counted(world: World, api: BotApi) -> None:
    await world.begin()
    await world.end()
    await world.trade("old")
    world.now += 49 * 3600
    await world.restart()
    await api.until(lambda: any("1 alerts were more than a day old" in each["shown"] for each in api.sent))
    assert not any("Market: old" in each["shown"] for each in api.sent)


async def test_a_message_that_was_taken_when_nobody_was_left_to_log_that_is_sent_twice(world: World, api: BotApi) -> None:
    await world.begin()
    api.gate.clear()
    await world.trade("twice")
    await api.until(lambda: len(api.sent) == 1)
    await world.end()
    api.gate.set()
    await world.restart()
    [event] = await world.messages(1)
    await world.trade("once")
    await world.messages(2)
    assert [each["shown"].split("\n")[2] for each in api.sent] == ["Market: twice", "Market: twice", "Market: once"]
    assert event.data["message"] == api.sent[0]["text"] == api.sent[1]["text"]


@pytest.mark.parametrize(("call", "kills"), [("put_document", 6), ("append", 2), ("poll", 4), ("document", 2)])
async def test_a_kill_at_any_call_loses_nothing_and_repeats_one_message_at_most(
    world: World, api: BotApi, call: str, kills: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The notifier is killed at its first, second, ... call to the log, before or after it has its effect."""
    await world.begin()
    died = [
        await kill_at(world, call, n // 2, after=bool(n % 2), monkeypatch=monkeypatch, question=f"round {n}")
        for n in range(kills)
    ]
    assert died[0]
    assert died[1]
    await world.end()
    monkeypatch.undo()
    await world.restart()
    await world.trade("last")
    await api.until(lambda: any("Market: last" in each["shown"] for each in api.sent))
    told = [line for each in api.sent for line in each["shown"].split("\n") if line.startswith("Market: ")]
    wanted = [f"Market: round {n}" for n in range(kills)] + ["Market: last"]
    assert list(dict.fromkeys(told)) == wanted
    logged = [event.data["messageId"] for event in await world.logged(Type.TELEGRAM)]
    assert len(logged) == len(set(logged))
    # A kill between what Telegram took and what the log took repeats that message.
    assert len(api.sent) - len(logged) <= kills


async def kill_at(world: World, call: str, number: int, *, after: bool, monkeypatch: pytest.MonkeyPatch, question: str) -> bool:
    """Restart the notifier, log a trade, and end it at one of its calls to the log; or once it has told, if it makes fewer.

    Return whether it was killed at that call.
    """
    real = getattr(LedgerService, call)
    reached = asyncio.Event()
    counted = count()
    watched = False

    async def call_or_die(self: LedgerService, *args: Any, **kwargs: Any) -> Any:
        by_notifier = watched and _is_delivery()
        if not by_notifier or next(counted) != number:
            return await real(self, *args, **kwargs)
        if after:
            await real(self, *args, **kwargs)
        reached.set()
        await asyncio.Event().wait()
        return None

    await world.end()
    if call == "document":
        # It is called at the start alone.
        await world.trade(question)
        watched = True
    monkeypatch.setattr(LedgerService, call, call_or_die)
    await world.restart()
    if not watched:
        watched = True
        await world.trade(question)
    told = asyncio.create_task(_logged(world, question))
    died = asyncio.create_task(reached.wait())
    await asyncio.wait({told, died}, return_when=asyncio.FIRST_COMPLETED, timeout=10.0)
    assert told.done() or died.done()
    await world.end()
    for task in (told, died):
        task.cancel()
    await asyncio.gather(told, died, return_exceptions=True)
    monkeypatch.setattr(LedgerService, call, real)
    return reached.is_set()


async def _logged(world: World, question: str) -> None:
    while not any(question in event.data["message"] for event in await world.logged(Type.TELEGRAM)):
        await asyncio.sleep(0.005)


def _is_delivery() -> bool:
    """Whether it is an alert's delivery that calls: the frames of those that await are on the stack."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code is not Delivery.run.__code__:
        frame = frame.f_back
    return frame is not None


async def test_the_token_is_nowhere(world: World, api: BotApi, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    faults: Iterator[Fault] = iter([(500, f"oops {TOKEN}", {}), (400, f"Bad Request: no {TOKEN}", {})])
    api.fault = lambda method, body: next(faults, None) if method == "sendMessage" else None
    notifier = await world.begin()
    await world.trade("one")
    await world.messages(1)
    shown = json.dumps(await notifier.configuration())
    await world.end()
    secret = TOKEN.partition(":")[2]
    # Another that Telegram does not know.
    await world.begin(TELEGRAM_BOT_TOKEN=TOKEN + "x")
    async with asyncio.timeout(10.0):
        while not await world.logged(Type.ERROR):
            await asyncio.sleep(0.005)
    events = json.dumps([event.json() for event in (await world.ledger.poll(0)).events])
    documents = json.dumps(
        [await world.ledger.document(name) for name in ("telegram", "telegram_updates", f"telegram/{OPERATOR}")]
    )
    for text in (caplog.text, shown, events, documents, repr(world.notifier.__dict__)):
        assert secret not in text
    assert "Telegram refuses the bot's token (Unauthorized)" in events
    assert world.config.telegram_file.stat().st_mode & 0o777 == 0o600


def test_the_server_of_these_tests_reads_markup_as_telegram_does() -> None:
    assert markdown(r"*bold* \*not\* \\_x") == r"bold *not* \_x"
    for broken in ("*a", "a_b", "`", "[x"):
        with pytest.raises(ValueError, match="Can't find end"):
            markdown(broken)
