"""Agents decide: the pure part of polyfleet, with no Ray, network, database or clock of its own."""
