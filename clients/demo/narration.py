"""What a person reads while the demo runs: plain words, nothing else.

Rule: no identifier is printed, only numbers of them; the story says who did what and what each party could see.
"""

from collections.abc import Iterable

from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table


class Narrator:
    """Tells the story, or keeps quiet under `--json`."""

    def __init__(self, quiet: bool) -> None:
        self._console = Console(quiet=quiet, highlight=False, soft_wrap=False, width=100)

    def title(self, text: str, subtitle: str) -> None:
        """Open the story."""
        self._console.print(Panel.fit(f"[bold]{text}[/bold]\n{subtitle}", border_style="cyan"))

    def act(self, number: int, text: str) -> None:
        """Open an act."""
        self._console.print(f"\n[bold cyan]{number}. {text}[/bold cyan]")

    def says(self, who: str, text: str) -> None:
        """One party does one thing."""
        self._console.print(Padding(f"[bold]{who}[/bold] {text}", (0, 0, 0, 3)))

    def command(self, text: str) -> None:
        """The command a person would type for it."""
        self._console.print(Padding(f"[dim]$ narrowgate {text}[/dim]", (0, 0, 0, 5)))

    def saw(self, rows: Iterable[tuple[str, str]]) -> None:
        """What each party could see of what just happened."""
        table = Table(show_header=False, box=None, padding=(0, 2, 0, 5))
        for who, what in rows:
            table.add_row(f"[italic]{who} saw[/italic]", what)
        self._console.print(table)

    def refusal(self, rules: list[str], reasons: list[str], law: list[str]) -> None:
        """A refusal, rule by rule, with its law."""
        for rule, reason, citation in zip(rules, reasons, law, strict=False):
            self._console.print(Padding(f"[red]refused[/red] {rule}: {reason}", (0, 0, 0, 5)))
            if citation:
                self._console.print(Padding(f"[dim]{citation}[/dim]", (0, 0, 0, 13)))

    def result(self, text: str) -> None:
        """A figure of this run."""
        self._console.print(Padding(f"[green]{text}[/green]", (0, 0, 0, 5)))
