"""Paper trading: live public data, simulated fills, no key and no order that leaves this machine."""
