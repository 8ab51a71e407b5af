"""Telegram: settings, the wire, flood limits, delivery of alerts and answers to commands, for the notifier."""
