"""An actor with nothing in it; its module imports nothing either, since every process of it does."""

import os


class Empty:
    """What an agent's process is compared with."""

    def pid(self) -> int:
        """Return the process id."""
        return os.getpid()
