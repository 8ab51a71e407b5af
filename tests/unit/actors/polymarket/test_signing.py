from eth_keys.backends import get_backend
from eth_keys.backends.coincurve import CoinCurveECCBackend


def test_signatures_are_made_by_the_native_library() -> None:
    assert isinstance(get_backend(), CoinCurveECCBackend), "pure Python takes ten times as long, in the broker's loop"
