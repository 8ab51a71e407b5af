"""Actors do: each module is one process role or one outside system."""
