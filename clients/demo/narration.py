"""What a person reads while the demo runs: plain words, nothing else.

Rule: no identifier is printed, only numbers of them; the story says who did what and what each party could see. Acts
that run at the same time are told one after the other, each from its beginning: an `aside` keeps what it says until
it is told to speak.
"""

import threading
from collections.abc import Callable, Iterable, Sequence

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table


class Narrator:
    """Tells the story, or keeps quiet under `--json`."""

    def __init__(self, quiet: bool) -> None:
        self._console = Console(quiet=quiet, highlight=False, soft_wrap=False, width=100)
        self._main = self
        self._acts = 0
        self._kept: list[Callable[[], None]] | None = None
        self._lock = threading.Lock()

    def aside(self) -> "Narrator":
        """A narrator of this story that keeps what it says until `speak`."""
        aside = Narrator(self._console.quiet)
        aside._main, aside._kept = self._main, []
        return aside

    def speak(self) -> None:
        """Say what was kept, and from now on everything at once."""
        with self._lock:
            kept, self._kept = self._kept or [], None
            for part in kept:
                part()

    def title(self, text: str, subtitle: str) -> None:
        """Open the story."""
        self._print(Panel.fit(f"[bold]{text}[/bold]\n{subtitle}", border_style="cyan"))

    def act(self, text: str) -> None:
        """Open an act; acts are numbered in the order in which they are told."""
        self._say(lambda: self._main._open(text))

    def says(self, who: str, text: str) -> None:
        """One party does one thing."""
        self._print(Padding(f"[bold]{who}[/bold] {text}", (0, 0, 0, 3)))

    def command(self, text: str) -> None:
        """The command a person would type for it."""
        self._print(Padding(f"[dim]$ narrowgate {text}[/dim]", (0, 0, 0, 5)))

    def saw(self, rows: Iterable[tuple[str, str]]) -> None:
        """What each party could see of what just happened."""
        table = Table(show_header=False, box=None, padding=(0, 2, 0, 5))
        for who, what in rows:
            table.add_row(f"[italic]{who} saw[/italic]", what)
        self._print(table)

    def refusal(
        self, rules: Sequence[str], reasons: Sequence[str], law: Sequence[str], missed: Sequence[str] = ()
    ) -> None:
        """A refusal, rule by rule, with its law, and what would have been needed."""
        for rule, reason, citation in zip(rules, reasons, law, strict=False):
            self._print(Padding(f"[red]refused[/red] {rule}: {reason}", (0, 0, 0, 5)))
            if citation:
                self._print(Padding(f"[dim]{citation}[/dim]", (0, 0, 0, 13)))
        for needed in missed:
            self._print(Padding(f"[red]needed[/red] {needed}", (0, 0, 0, 5)))

    def result(self, text: str) -> None:
        """A figure of this run."""
        self._print(Padding(f"[green]{text}[/green]", (0, 0, 0, 5)))

    def _open(self, text: str) -> None:
        self._acts += 1
        self._console.print(f"\n[bold cyan]{self._acts}. {text}[/bold cyan]")

    def _print(self, what: RenderableType) -> None:
        self._say(lambda: self._main._console.print(what))

    def _say(self, part: Callable[[], None]) -> None:
        with self._lock:
            if self._kept is None:
                part()
            else:
                self._kept.append(part)
