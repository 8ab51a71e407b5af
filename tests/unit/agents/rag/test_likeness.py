import pytest

from agents.rag.likeness import alike, fingerprint

REPORT = (
    "The central bank may cut its rate in December, two officials said on Tuesday. Analysts put the chance at 63 in 100, "
    "and markets have moved little since. A decision is due on the ninth, after the figures on prices and jobs are out."
)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (REPORT, True),
        (REPORT.upper().replace(",", " -"), True),
        (REPORT + " Reporting by our staff; editing by theirs.", True),
        (REPORT[: len(REPORT) * 2 // 3], True),
        (REPORT.replace("63", "71"), False),
        ("Two officials said on Tuesday that a decision of the central bank is due. It may cut its rate.", False),
        ("A storm off the coast gains strength and may reach land by Friday, forecasters warn.", False),
    ],
)
def test_copies_are_alike_and_reports_with_other_figures_are_not(other: str, expected: bool) -> None:
    assert alike(fingerprint(REPORT), fingerprint(other)) is expected
    assert alike(fingerprint(other), fingerprint(REPORT)) is expected


def test_short_texts_are_compared_as_a_whole() -> None:
    assert alike(fingerprint("Rates cut"), fingerprint("rates cut!"))
    assert not alike(fingerprint("Rates cut"), fingerprint("Rates held"))
