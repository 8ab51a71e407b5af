"""The parts of a broker: tickets, tracked orders, the desk that logs them, entry, booking, recovery, redemption and check."""
