"""The typed client is cheap to load."""

import subprocess
import sys

HEAVY = ("ray", "fastapi", "starlette", "pydantic", "sqlalchemy", "langchain", "chromadb", "socketio", "polymarket", "yaml")


def test_the_client_loads_neither_the_api_nor_ray() -> None:
    program = f"import sys, supervisor.client; sys.exit(', '.join(name for name in {HEAVY} if name in sys.modules) or 0)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
