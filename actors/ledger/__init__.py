"""The ledger: the one writer of the log, and what it serves from memory."""

from actors.ledger.service import LedgerService

__all__ = ["LedgerService"]
