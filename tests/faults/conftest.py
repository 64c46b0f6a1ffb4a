"""Says how many points were tried."""

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Add up what the tests counted, wherever they ran."""
    sums: dict[str, int] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport) and report.when == "call":
                scenario = report.nodeid.partition("[")[2].rstrip("-0123456789]")
                scenario = scenario or report.nodeid.partition("::test_")[2].partition("[")[0]
                for name, count in report.user_properties:
                    for key in (f"{scenario}: {name}", f"total: {name}"):
                        sums[key] = sums.get(key, 0) + int(str(count))
    for key, count in sums.items():
        if count:
            terminalreporter.write_line(f"{key}: {count:,}")
