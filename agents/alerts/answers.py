"""Answers to commands, made from the folded log by pure functions."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from agents.alerts.commands import ACTIONS, COMMANDS, TOO_OLD, Answer, Button, Buttons, Role
from agents.alerts.markup import bold, cut, escaped, outside
from agents.alerts.policy import AlertConfig, Topic
from agents.alerts.texts import local_time, money
from agents.fleet import AgentRecord, FleetState
from agents.forecasting.scoring import score
from agents.money import number, text
from agents.spec import AgentState

#: Agents on one page of buttons, lines of a list.
_PAGE = 20
_LINES = 30

_MARKS = {"running": "🟢", "paused": "⏸", "stopped": "⚪", "quarantined": "🔴", "backing_off": "🟠"}

#: What may be asked of an agent in each state, in the order of the buttons.
_ALLOWED = {
    AgentState.RUNNING: ("pause", "stop", "restart"),
    AgentState.PAUSED: ("resume", "stop", "restart"),
    AgentState.STOPPED: ("start",),
    AgentState.QUARANTINED: ("start",),
    AgentState.BACKING_OFF: ("stop",),
    AgentState.PENDING: ("stop",),
    AgentState.STARTING: ("stop",),
    AgentState.STOPPING: (),
}


def help_text(role: Role) -> Answer:
    """Return what a chat may ask."""
    acting = {*ACTIONS, "kill"}
    shown = [name for name in COMMANDS if role is Role.OPERATOR or name not in acting]
    lines = [bold("polyfleet"), *(f"/{name} {escaped(COMMANDS[name])}" for name in shown)]
    if role is Role.VIEWER:
        lines.append("This chat may look, not act.")
    return Answer("\n".join(lines))


def too_old(age: int) -> Answer:
    """Return the note on a command that was read too late; `age` in milliseconds."""
    return Answer(f"That came {age // 1000} s ago and was not carried out (the limit is {TOO_OLD // 1000} s); send it again.")


def status(state: FleetState) -> Answer:
    """Return the fleet at a glance, agents counted by the name of their state."""
    counts = Counter(str(agent.state) for agent in state.agents.values())
    named = [f"{_mark(name)} {escaped(name)}: {counts[name]}" for name in map(str, AgentState) if counts[name]]
    away = [f"⚠️ {escaped(name)} is {escaped(each.state)}" for name, each in state.services.items() if each.state != "running"]
    blocked = sum(agent.blocked is not None for agent in state.agents.values())
    exposure = sum(book.cost for agent_id in state.agents for _, book in state.portfolio.books_of(agent_id))
    lines = [
        bold("Fleet"),
        *([f"🛑 Kill switch: {outside(state.halted)}", *_selling(state)] if state.halted else []),
        f"Agents: {len(state.agents)}",
        *named,
        *([f"blocked: {blocked}"] if blocked else []),
        f"Decisions: {sum(agent.total_decisions for agent in state.agents.values())}",
        f"Trades: {sum(agent.total_trades for agent in state.agents.values())}",
        f"Profit: {money(state.total_profit, sign=True)} realised",
        f"Exposure: {money(exposure)}",
        *away,
    ]
    return Answer(cut("\n".join(lines)), ((("🔄 Refresh", "status"), ("Agents", "agents:0")),))


def agents(state: FleetState, page: int = 0) -> Answer:
    """Return the agents, one page of them as buttons."""
    names = sorted(state.agents)
    pages = max(1, -(-len(names) // _PAGE))
    page = min(max(page, 0), pages - 1)
    shown = names[page * _PAGE : (page + 1) * _PAGE]
    lines = [bold("Agents") + (f" {page + 1}/{pages}" if pages > 1 else "")]
    for name in shown:
        record = state.agents[name]
        lines.append(f"{_mark(record.state)} {escaped(name)} {escaped(record.state)} {money(state.profit(name), sign=True)}")
    buttons = [(name, f"agent:{name}") for name in shown]
    turns = [*([("‹", f"agents:{page - 1}")] if page else []), *([("›", f"agents:{page + 1}")] if page < pages - 1 else [])]  # noqa: RUF001
    rows = fitting((*zip_rows(buttons, 2), (*turns, ("🔄 Refresh", f"agents:{page}"))))
    return Answer(cut("\n".join(lines) if names else "There are no agents."), rows)


def agent(state: FleetState, agent_id: str, role: Role, now: int) -> Answer:
    """Return one agent, with the buttons that its state allows."""
    record = state.agents.get(agent_id)
    if record is None:
        return unknown(agent_id)
    lines = [
        f"{_mark(record.state)} {escaped(agent_id)} is {escaped(record.state)}",
        *([f"Why: {outside(record.reason)}"] if record.reason else []),
        *([f"Blocked: {outside(record.blocked)}"] if record.blocked else []),
        f"Strategy: {outside(record.spec.strategy, 100)}",
        f"Life: {record.incarnation}, restarts: {record.restarts}" + _uptime(record, now),
        f"Decisions: {record.total_decisions}, trades: {record.total_trades}",
        f"Profit: {money(state.profit(agent_id), sign=True)} realised",
        *([f"Last error: {outside(record.last_error)}"] if record.last_error else []),
    ]
    may = _ALLOWED[record.state] if role is Role.OPERATOR else ()
    actions = [(action.capitalize(), f"do:{action}:{agent_id}") for action in may]
    others = (("🔄 Refresh", f"agent:{agent_id}"), ("Agents", "agents:0"))
    # Telegram takes at most 64 bytes of data with a button.
    rows = tuple(row for row in (tuple(actions), others) if row)
    return Answer(cut("\n".join(lines)), fitting(rows))


def choose(state: FleetState, command: str) -> Answer:
    """Return a button for each agent that a command may act on."""
    action = ACTIONS[command]
    may = sorted(name for name, record in state.agents.items() if action in _ALLOWED[record.state])
    if not may:
        return Answer(f"There is no agent that {action} is possible for now.")
    buttons = [(name, f"do:{action}:{name}") for name in may[: _PAGE * 2]]
    return Answer(f"Which agent? /{command} ID does it too.", fitting(zip_rows(buttons, 2)))


def unknown(agent_id: str) -> Answer:
    """Return what is said of an agent that is not there."""
    return Answer(f"There is no agent {outside(agent_id, 70)}; /agents lists them.")


def profit(state: FleetState) -> Answer:
    """Return realised profit, in all and by agent, the best first."""
    ranked = sorted(((state.profit(name), name) for name in state.agents), key=lambda pair: (-pair[0], pair[1]))
    lines = [f"{bold('Profit')} {money(state.total_profit, sign=True)} realised, fees taken off"]
    lines += [f"{escaped(name)} {money(amount, sign=True)}" for amount, name in ranked]
    return Answer(cut("\n".join(lines)), ((("🔄 Refresh", "profit"),),))


def positions(state: FleetState, names: Mapping[str, tuple[str, str]], agent_id: str | None = None) -> Answer:
    """Return what is held, the dearest first; `names` are question and outcome by token."""
    held = [
        (position.cost, owner, token, position)
        for owner in state.agents
        if agent_id in (None, owner)
        for _, book in state.portfolio.books_of(owner)
        for token, position in book.positions.items()
        if position.size
    ]
    held.sort(key=lambda each: (-each[0], each[1], each[2]))
    lines = [f"{bold('Positions')} {len(held)}, cost {money(sum(each[0] for each in held))}"]
    for cost, owner, token, position in held[:_LINES]:
        question, outcome = names.get(token, ("token " + token[:12], ""))
        who = "" if agent_id else f"{escaped(owner)}: "
        price = number(cost) / number(position.size)
        lines.append(f"{who}{text(position.size)} {outside(outcome, 40)} @ {price:.3f} {outside(question, 120)}")
    if len(held) > _LINES:
        lines.append(f"… and {len(held) - _LINES} more; /positions AGENT shows those of one")
    return Answer(cut("\n".join(lines)))


def decisions(items: Sequence[Mapping[str, Any]]) -> Answer:
    """Return the latest decisions, newest first."""
    lines = [bold("Decisions") if items else "There are no decisions yet."]
    for each in items:
        said = f"{each['action']} {each['outcome']} ({each['confidence']:.0%})"
        lines.append(f"{local_time(each['timestamp'])} {escaped(each['agentId'] or '')}: {outside(said, 80)}")
        lines.append(f"  {outside(each['market'], 120)}: {outside(each['reasoning'], 160)}")
    return Answer(cut("\n".join(lines)))


def trades(items: Sequence[Mapping[str, Any]]) -> Answer:
    """Return the latest trades, newest first."""
    lines = [bold("Trades") if items else "There are no trades yet."]
    for each in items:
        said = f"{each['action']} {each['outcome']} {each['amount']:.2f} pUSD @ {each['price']:.3f}"
        who = escaped(each["agentId"] or "outside")
        lines.append(f"{local_time(each['timestamp'])} {who}: {outside(said, 80)} {outside(each['market'], 120)}")
    return Answer(cut("\n".join(lines)))


def scores(state: FleetState) -> Answer:
    """Return how forecasts compare with the market's price."""
    lines = [bold("Forecasts against the market")]
    for key, entries in sorted(state.record.settled().grouped("strategy").items()):
        if found := score(entry.resolved("blended") for entry in entries):
            lines.append(
                f"{outside(key[0], 60)}: {found.n} of {found.events} events, Brier {found.brier:.4f}, price "
                f"{found.market_brier:.4f}, skill {found.skill:+.4f} ({found.low:+.4f} to {found.high:+.4f}): {found.verdict}"
            )
    if len(lines) == 1:
        lines.append("No forecast has come out yet.")
    lines.append(f"Not resolved yet: {state.record.waiting}")
    return Answer(cut("\n".join(lines)))


def kill(state: FleetState, now: int) -> Answer:
    """Return the question that a kill switch is thrown or lifted by; it stands for a minute from `now`, in milliseconds."""
    no = ("Leave it", "leave")
    if state.halted is not None:
        return Answer(f"🛑 All trading is stopped: {outside(state.halted)}", (((("Allow trading again"), f"lift:{now}"), no),))
    return Answer(
        "Stop all trading and cancel all orders? The question stands for a minute.",
        ((("🛑 Stop all trading", f"kill:{now}"), no), (("🛑 Stop and sell everything", f"flatten:{now}"),)),
    )


def halted(state: FleetState) -> Answer:
    """Return what the kill switch says now."""
    if state.halted is None:
        return Answer("Trading is allowed.")
    lines = [f"🛑 All trading is stopped: {outside(state.halted)}", *_selling(state)]
    return Answer(cut("\n".join(lines)))


def _selling(state: FleetState) -> list[str]:
    """Return what selling out has come to so far."""
    if not state.flattening:
        return []
    left = [each for sell_out in state.sell_outs.values() for each in sell_out.left]
    if state.sell_outs and not left:
        return ["Everything is sold."]
    lines = [f"{text(each.size)} {outside(each.outcome, 40)} {outside(each.question, 80)}: {each.reason}" for each in left]
    return ["What agents hold is being sold.", *lines[:_LINES]]


def levels(config: AlertConfig, role: Role) -> Answer:
    """Return the level of every topic; operators get buttons that change it."""
    lines = [bold("Alerts")]
    for topic in Topic:
        level, effective = config.level(topic), config.effective(topic)
        lines.append(f"{escaped(topic)}: {level}" + ("" if level == effective else ", off by its switch"))
    if role is Role.VIEWER:
        return Answer("\n".join(lines))
    buttons = [(f"{topic}: {config.level(topic)}", f"level:{topic}") for topic in Topic]
    return Answer("\n".join(lines), zip_rows(buttons, 2))


def zip_rows(buttons: Sequence[Button], width: int) -> Buttons:
    """Return buttons in rows."""
    return tuple(tuple(buttons[at : at + width]) for at in range(0, len(buttons), width))


def fitting(rows: Buttons) -> Buttons:
    """Return rows without the buttons whose data are longer than the 64 bytes that Telegram takes."""
    return tuple(row for row in (tuple(button for button in row if len(button[1]) <= 64) for row in rows) if row)


def _mark(state: str) -> str:
    return _MARKS.get(state, "🟡")


def _uptime(record: AgentRecord, now: int) -> str:
    if record.started_at is None:
        return ""
    minutes = max(0, now - record.started_at) // 60_000
    return f", up for {minutes // 60} h {minutes % 60} min"
