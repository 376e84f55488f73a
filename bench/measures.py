"""Rounds, medians, ratios, spreads: the arithmetic of a table, and nothing that measures."""

from dataclasses import dataclass, field
from statistics import median


@dataclass
class Figure:
    """One number in every round."""

    rounds: list = field(default_factory=list)

    @property
    def median(self):
        return median(self.rounds)

    @property
    def spread(self):
        """A against A: how far two rounds of the same thing lie apart, as a share of their median."""
        middle = self.median
        return (max(self.rounds) - min(self.rounds)) / middle if middle else 0.0

    def as_json(self):
        return {"median": self.median, "spread": self.spread, "rounds": self.rounds}


class Figures(dict):
    """Of one contestant in one scenario, by name."""

    def add(self, **values):
        for name, value in values.items():
            self.setdefault(name, Figure()).rounds.append(value)

    def as_json(self):
        return {name: figure.as_json() for name, figure in self.items()}


def shown(figure, unit="", digits=None):
    """`12.3 ms ±4 %`."""
    return f"{number(figure.median, digits)}{unit} ±{figure.spread * 100:.0f} %"


def number(value, digits=None):
    if digits is None:
        digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:,.{digits}f}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])
