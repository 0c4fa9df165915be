"""A pytest plugin that writes the verdict of every test id to the file that FOOBARA_VERDICTS names."""

from __future__ import annotations

import json
import os

import pytest

_verdicts: dict[str, str] = {}


def pytest_configure(config: pytest.Config) -> None:
    """Let hypothesis draw the same examples both times, and judge none by the time it took."""
    try:
        from hypothesis import HealthCheck, settings
    except ImportError:
        return
    settings.register_profile(
        "twice", derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    settings.load_profile("twice")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call":
        _verdicts[report.nodeid] = _said(report)
    elif report.when == "setup" and not report.passed:
        _verdicts[report.nodeid] = "skipped" if report.skipped else "error"
    elif report.when == "teardown" and report.failed:
        _verdicts[report.nodeid] = f"{_verdicts.get(report.nodeid, '?')}, error in teardown"


def _said(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail"):
        return "xpassed" if report.passed else "xfailed"
    return report.outcome


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.failed:
        _verdicts[report.nodeid] = "not collected"


def pytest_sessionfinish(session: pytest.Session) -> None:
    drop_in: object = None
    try:
        import foobara_accel

        drop_in = foobara_accel.swap_report().to_dict()
    except ImportError:
        pass
    with open(os.environ["FOOBARA_VERDICTS"], "w", encoding="utf-8") as file:
        json.dump({"verdicts": _verdicts, "drop_in": drop_in}, file)
