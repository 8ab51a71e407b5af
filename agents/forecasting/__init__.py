"""From raw opinions to a probability and a bet, and from resolved forecasts to a score: arithmetic, no model and no clock."""
