"""The supervisor keeps agents alive and shows the world what they do."""

__version__ = "0.1.0"
