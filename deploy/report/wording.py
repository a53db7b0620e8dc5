"""Numbers as people read them."""

from __future__ import annotations

NARROW_SPACE = "\u202f"
"""Between a number and its unit, and between thousands; never broken at the end of a line."""


def percent(share: float, *, digits: int = 1) -> str:
    """Write a share of 1 as a percentage: ``0.973`` is ``97.3 %``."""
    return f"{100 * share:.{digits}f}{NARROW_SPACE}%"


def count(number: int) -> str:
    """Write a count with its thousands apart: ``12345`` is ``12 345``."""
    return f"{number:,}".replace(",", NARROW_SPACE)


def size(bytes_: int) -> str:
    """Write a size in bytes with a decimal unit: ``1440000`` is ``1.4 MB``."""
    value = float(bytes_)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5 or unit == "GB":
            break
        value /= 1000
    digits = 0 if unit == "B" or value >= 99.95 else 1
    return f"{value:.{digits}f}{NARROW_SPACE}{unit}"


def duration(seconds: float) -> str:
    """Write a time as people say it: ``1.4 s``, ``52 s``, ``3 min 05 s``, ``1 h 02 min``."""
    if seconds < 9.95:
        return f"{seconds:.1f}{NARROW_SPACE}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}{NARROW_SPACE}s"
    if whole < 3600:
        return f"{whole // 60}{NARROW_SPACE}min {whole % 60:02d}{NARROW_SPACE}s"
    return f"{whole // 3600}{NARROW_SPACE}h {whole % 3600 // 60:02d}{NARROW_SPACE}min"


def plural(number: int, noun: str) -> str:
    """Write a count with its noun: ``1 device``, ``8 devices``; ``class`` gives ``classes``."""
    ending = "" if number == 1 else "es" if noun.endswith(("s", "x")) else "s"
    return f"{count(number)} {noun}{ending}"


PARTITION_NAMES = {"iid": "IID", "writer": "by writer"}


def partition_name(partition: str) -> str:
    """Write a partition as a figure's legend has it: ``dirichlet:0.3`` is ``Dir(0.3)``."""
    kind, _, value = partition.partition(":")
    if kind == "dirichlet":
        return f"Dir({value})"
    return PARTITION_NAMES.get(partition, partition)


SYMBOLS = {"times": "×", "div": "÷", "-": "−", "forward_slash": "/", "ascii_124": "|", "prime": "′", "sqrt": "√"}


def symbol(label: str) -> str:
    """Write a class as the symbol it stands for: ``times`` is ``×``."""
    return SYMBOLS.get(label, label)
