"""A strategy for polyfleet, installed from outside."""
