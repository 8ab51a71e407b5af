import logging
from collections.abc import Iterator

import pytest


@pytest.fixture
def root_as_before() -> Iterator[None]:
    before = list(logging.getLogger().handlers)
    yield
    for handler in set(logging.getLogger().handlers) - set(before):
        logging.getLogger().removeHandler(handler)
        handler.close()
