"""What is active in this process and why: the text of ``foobara-accel doctor`` and of a bug report."""

from __future__ import annotations

import gc
import importlib.metadata
import importlib.util
import json
import os
import platform
import sys
import sysconfig
from pathlib import Path
from typing import Any

from ._backend import LATE, MODULES, VARIABLE, backend
from ._version import __version__

__all__ = ["EXTRAS", "build_record", "examine", "render", "to_json"]

# What the types take where it is there: distribution, extra that installs it, what is missing without.
EXTRAS: tuple[tuple[str, str, str], ...] = (
    ("numpy", "columns", "columns of card numbers and IBANs"),
    ("phonenumbers", "phone", "phone numbers in another form than + and digits"),
    ("python-stdnum", "national", "national check digits of IBANs"),
    ("nh3", "html", "sanitizing HTML"),
    ("argon2-cffi", "passwords", "hashing passwords"),
    ("blake3", "blake3", "blake3 fingerprints"),
)


def build_record() -> dict[str, Any]:
    """Return what setup.py recorded about this build; empty when it ran from a bare checkout."""
    path = Path(__file__).with_name("_ext") / "BUILD.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _gil() -> str:
    if not sysconfig.get_config_var("Py_GIL_DISABLED"):
        return "on (this Python cannot run without)"
    enabled = getattr(sys, "_is_gil_enabled", lambda: True)()
    return "on (switched on again by an extension or PYTHON_GIL)" if enabled else "off"


def _version_of(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _files(modules: dict[str, str]) -> dict[str, str]:
    return {
        name: Path(getattr(sys.modules[path], "__file__", None) or "built in").name
        for name, path in modules.items()
    }


def _late(compiled: bool) -> dict[str, str | None]:
    # Found, not imported: a look shall not load what nobody asked for.
    package = f"{__name__.rpartition('.')[0]}.{'_ext' if compiled else '_pure'}"
    specs = {name: importlib.util.find_spec(f"{package}.{name}") for name in LATE}
    return {name: Path(spec.origin).name if spec and spec.origin else None for name, spec in specs.items()}


def _error(error: BaseException | None) -> dict[str, str | None] | None:
    if error is None:
        return None
    return {
        "type": type(error).__name__,
        "message": str(error),
        "name": getattr(error, "name", None),
        "path": getattr(error, "path", None),
    }


def _guard() -> dict[str, Any]:
    # Asked on a machine where something is broken, so whatever the guard's self-test raises is an answer.
    try:
        from .core.inputs import guard_status

        on, reason = guard_status()
    except Exception as error:
        return {"on": False, "reason": f"{type(error).__name__}: {error}"}
    return {"on": on, "reason": reason}


def _types() -> dict[str, Any]:
    # As _guard: what an installed phonenumbers or NumPy raises is an answer.
    found: dict[str, Any] = {}
    for name, ask in (
        ("iban_registry", _iban_registry),
        ("phone_metadata", _phone_metadata),
        ("column_kernels", _column_kernels),
    ):
        try:
            found[name] = ask()
        except Exception as error:
            found[name] = f"{type(error).__name__}: {error}"
    found["packages"] = {name: _version_of(name) for name, _, _ in EXTRAS}
    return found


def _iban_registry() -> str:
    from .types.ibans import COUNTRIES, REGISTRY_RELEASE

    return f"SWIFT registry, release {REGISTRY_RELEASE}, {len(COUNTRIES)} prefixes"


def _phone_metadata() -> str:
    from .types import phone_metadata

    return phone_metadata()


def _column_kernels() -> str:
    from ._backend import columns

    return columns.kernel()


def _drop_in() -> dict[str, Any]:
    # As _guard: an installed foobara_py may be broken in ways of its own.
    try:
        from .swap import fixes_of_the_environment, probe, swap_report
        from .swap.repairs import defects

        report = probe(fixes_of_the_environment())
        return {**report.to_dict(), "active": swap_report().state, "defects": defects(report)}
    except Exception as error:
        return {"state": "unknown", "error": f"{type(error).__name__}: {error}", "defects": []}


def examine() -> dict[str, Any]:
    """Return everything ``doctor`` prints, as plain values that json.dumps takes."""
    active = backend()
    return {
        "foobara_accel": __version__,
        "backend": {
            "name": str(active),
            "reason": active.reason,
            "requested": os.environ.get(VARIABLE) or "auto",
            "error": _error(active.error),
            "modules": dict(active.modules),
            "files": _files(dict(active.modules)),
            "late": _late(active.compiled),
        },
        "build": build_record(),
        "cpu": {"machine": platform.machine(), "features": list(active.cpu), "count": os.cpu_count()},
        "python": {
            "version": platform.python_version(),
            "implementation": platform.python_implementation(),
            "compiler": platform.python_compiler(),
            "platform": platform.platform(),
            "gil": _gil(),
        },
        "packages": {
            name: _version_of(name)
            for name in ("pydantic", "pydantic-core", "cython", "sqlalchemy", "foobara-py", "hypothesis")
        },
        "guard": _guard(),
        "types": _types(),
        "drop_in": _drop_in(),
        "gc": {
            "enabled": gc.isenabled(),
            "thresholds": list(gc.get_threshold()),
            "frozen": gc.get_freeze_count() if hasattr(gc, "get_freeze_count") else 0,
        },
    }


def to_json(report: dict[str, Any]) -> str:
    """Return *report* as indented JSON."""
    return json.dumps(report, indent=2)


def render(report: dict[str, Any]) -> str:
    """Return *report* as lines for a terminal; the first one is the answer."""
    active, python, cpu = report["backend"], report["python"], report["cpu"]
    guard, collector = report["guard"], report["gc"]
    kind = {"c": "compiled", "py": "pure Python"}[active["name"]]
    width = max(len(name) for name in (*MODULES, *LATE))
    found = [f"{name} {version}" for name, version in report["packages"].items() if version]
    rows = [("asked for", f"{VARIABLE}={active['requested']}")]
    if active["error"]:
        rows.append(("not loaded", f"{active['error']['type']}: {active['error']['message']}"))
    rows += [("module", f"{name:<{width}}  {file}") for name, file in active["files"].items()]
    rows += [
        ("module", f"{name:<{width}}  {f'{file}, loaded when asked for' if file else 'is not there'}")
        for name, file in active["late"].items()
    ]
    rows += [
        ("built", _built(report["build"], active["reason"])),
        ("cpu", f"{cpu['machine']}: {' '.join(cpu['features']) or 'unknown'}"),
        ("python", f"{python['implementation']} {python['version']}, GIL {python['gil']}"),
        ("platform", f"{python['platform']}, {python['compiler']}"),
        ("packages", ", ".join(found)),
        ("guard", f"{'on' if guard['on'] else 'off'}: {guard['reason']}"),
        ("gc", f"{'on' if collector['enabled'] else 'off'}, thresholds {tuple(collector['thresholds'])}"),
        ("frozen", f"{collector['frozen']} objects"),
    ]
    rows += [*_type_rows(report["types"]), *_drop_in_rows(report["drop_in"])]
    first = f"foobara-accel {report['foobara_accel']}: {kind} ({active['reason']})"
    return "\n".join([first, *(f"  {label:<11} {text}" for label, text in rows)])


def _type_rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    versions = found["packages"]
    there = [f"{name} {version}" for name, version in versions.items() if version]
    rows = [("ibans", found["iban_registry"]), ("phones", found["phone_metadata"])]
    if versions["numpy"]:
        rows.append(("columns", f"{found['column_kernels']} kernels"))
    rows.append(("extras", ", ".join(there) or "none"))
    for name, extra, what in EXTRAS:
        if not versions[name]:
            rows.append(("missing", f"{name}, for {what}: pip install 'foobara-accel[{extra}]'"))
    return rows


_DROP_IN = {
    "swapped": "foobara_py {version} at {place}: install() replaces it in place",
    "refused": "foobara_py {version} at {place}: install() leaves it alone, none of its parts is known here",
    "served": "no foobara_py; install() serves the name",
    "broken": "foobara_py cannot be imported: {error}",
    "half-imported": "foobara_py is still being imported",
    "unknown": "{error}",
}


def _drop_in_rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    from .swap.patches import PARTS

    rows = [("drop-in", _DROP_IN[found["state"]].format_map(found))]
    for part in found.get("parts", ()):
        said = f"not replaced: {part['reason']}" if part["reason"] else f"{len(part['replaced'])} functions"
        rows.append(("part", f"{part['name']}, {said}"))
    if found["state"] == "swapped":
        told = {part["name"] for part in found["parts"]}
        left = [part.name for part in PARTS if part.name not in told]
        rows.append(("left alone", f"{', '.join(left)}: no replacement, or none that would be faster"))
    for defect in found["defects"]:
        rows.append(("defect", f"{defect['defect']} ({defect['repair']}: {defect['status']})"))
    return rows


def _built(build: dict[str, Any], told: str) -> str:
    if not build:
        return "not recorded (a source tree, not an installed build)"
    if not build.get("compiled"):
        why = str(build.get("reason")).strip().partition("\n")[0]
        # The first line of the report says it already where that build is why nothing compiled is active.
        return f"pure, FOOBARA_ACCEL_BUILD={build.get('mode')}{'' if told.endswith(why) else f': {why}'}"
    parts = [build.get(name) for name in ("cython", "compiler", "flags")]
    return ", ".join([f"{len(build['compiled'])} modules", *(str(part) for part in parts if part)])
