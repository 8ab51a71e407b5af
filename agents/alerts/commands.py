"""What people may ask in a chat: roles, commands, the buttons under an answer, and what is too old to be done."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from agents.errors import InvalidInput


class Role(StrEnum):
    """What a chat may do: look, or act as well."""

    VIEWER = "viewer"
    OPERATOR = "operator"


#: The commands, with what Telegram's menu says of each.
COMMANDS = {
    "status": "the fleet at a glance",
    "agents": "all agents, with a button for each",
    "agent": "one agent: /agent ID",
    "profit": "realised profit by agent",
    "positions": "what is held: /positions [AGENT]",
    "decisions": "the latest decisions: /decisions [AGENT]",
    "trades": "the latest trades: /trades [AGENT]",
    "score": "forecasts against the market",
    "pause": "pause an agent: /pause ID",
    "resume": "resume an agent: /resume ID",
    "startagent": "start an agent: /startagent ID",
    "stopagent": "stop an agent: /stopagent ID",
    "restart": "restart an agent: /restart ID",
    "kill": "stop all trading, after a confirmation",
    "levels": "which alerts come: /levels [TOPIC on|silent|off]",
    "help": "what there is",
}

#: Commands that act on an agent, and what the supervisor calls that.
ACTIONS = {"pause": "pause", "resume": "resume", "startagent": "start", "stopagent": "stop", "restart": "restart"}

#: Buttons that change something, by the first word of their data.
ACTING = frozenset({"do", "kill", "flatten", "lift", "level"})

#: Milliseconds after which a command is not carried out any more, and for which a confirmation stands.
TOO_OLD = 60_000
CONFIRMED_WITHIN = 60_000

#: A label, and the data that a press of the button sends: words with a colon between, at most 64 bytes in Telegram.
Button = tuple[str, str]
Buttons = tuple[tuple[Button, ...], ...]

_COMMAND = re.compile(r"/([A-Za-z_]+)(?:@(\w+))?(?:\s+(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said to a chat, in `Markdown`, with the buttons under it."""

    text: str
    buttons: Buttons = ()


def parse(text: str, bot: str = "") -> tuple[str, list[str]] | None:
    """Return a command, in lower case, and its arguments; None for what is no command, or one for another bot than `bot`."""
    found = _COMMAND.fullmatch(text.strip())
    if found is None or (found[2] and bot and found[2].lower() != bot.lower()):
        return None
    return found[1].lower(), (found[3] or "").split()


def expired(issued: str, now: int) -> bool:
    """Whether a confirmation, whose data tells the milliseconds of its making, stands no more."""
    return not issued.isdigit() or not 0 <= now - int(issued) <= CONFIRMED_WITHIN


def roles_of(text: str) -> dict[str, Role]:
    """Read POLYFLEET_TELEGRAM_CHATS: chats and their roles, such as 123:viewer,-100456:operator.

    Raises:
        InvalidInput: for anything else.
    """
    roles: dict[str, Role] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        chat, _, role = part.partition(":")
        if not re.fullmatch(r"-?\d{1,20}", chat) or role not in set(Role):
            raise InvalidInput(
                f"POLYFLEET_TELEGRAM_CHATS: {part!r} is not possible; expected a chat's number, a colon, viewer or operator"
            )
        roles[chat] = Role(role)
    return roles


def all_roles(configured: str, others: Mapping[str, Role]) -> dict[str, Role]:
    """Return every chat's role; the configured chat is an operator."""
    return dict(others) | ({configured: Role.OPERATOR} if configured else {})
