"""Text and addresses as they come from outside, brought into a form in which they can be kept and compared."""

import re
import unicodedata
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

#: Categories of characters that nobody sees: control, format (zero width, direction, tags), surrogates, private use.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co"})

#: Parameters of an address that say where a reader came from, not what is read.
_TRACKING = re.compile(r"utm_.*|gclid|fbclid|mc_[ce]id|cmpid|ref(_src)?|smid", re.IGNORECASE)

_LONGEST_URL = 2000
_PORTS = {"http": 80, "https": 443}


def plain(text: str, limit: int) -> str:
    """Return at most `limit` characters of a text: without unseen ones, in its lines, otherwise with single blanks."""
    # What is cut away need not be looked at; white space and unseen characters seldom make up more than half of a text.
    lines = re.split(r"[\r\n\u2028\u2029]+", text[: limit * 4])
    cleaned = (" ".join(_seen(line).split()) for line in lines)
    whole = "\n".join(line for line in cleaned if line)
    if len(whole) <= limit:
        return whole
    cut = whole[:limit]
    end = max(cut.rfind(" "), cut.rfind("\n"))
    return (cut[:end] if end > limit // 2 else cut).rstrip()


def _seen(line: str) -> str:
    if line.isascii() and line.isprintable():
        return line
    composed = unicodedata.normalize("NFC", line)
    return "".join(" " if c.isspace() else c for c in composed if c.isspace() or unicodedata.category(c) not in _UNSEEN)


def canonical_url(url: str) -> str | None:
    """Return the one form of a web address that several stand for, or None for what is none (`javascript:` and the like)."""
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not host or len(url) > _LONGEST_URL or any(c.isspace() for c in url.strip()):
        return None
    place = f"[{host}]" if ":" in host else host
    if port not in (None, _PORTS[parts.scheme]):
        place += f":{port}"
    query = urlencode([pair for pair in parse_qsl(parts.query, keep_blank_values=True) if not _TRACKING.fullmatch(pair[0])])
    return urlunsplit((parts.scheme, place, parts.path.rstrip("/"), query, ""))
