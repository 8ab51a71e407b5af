from supervisor.core.claims import Claims


def test_a_claim_is_one_holders_until_it_is_given_back_or_over() -> None:
    now = 0.0
    claims = Claims(lambda: now)
    assert claims.take("k", "a", 60)
    assert not claims.take("k", "b", 60)
    assert claims.take("other", "b", 60)
    claims.release("k", "b")
    assert not claims.take("k", "b", 60), "it was not b's to give back"
    claims.release("k", "a")
    assert claims.take("k", "b", 60)
    now = 60.0
    assert claims.take("k", "c", 60)
    claims.release("k", "b")
    assert not claims.take("k", "a", 60), "an old holder gives nothing back"
