"""What may be risked: limits, what is used up of them, and the rules before every order. Pure: no clock, no I/O."""
