"""A machine that stops right before a function is called, or right after: put in the function's place."""

from collections.abc import Callable
from typing import Any


def after(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, and then the machine stops."""

    def stopped(*arguments: Any, **named: Any) -> Any:
        function(*arguments, **named)
        raise KeyboardInterrupt

    return stopped


def before(_function: Callable[..., Any]) -> Callable[..., Any]:
    """The machine stops before the function is called."""

    def stopped(*arguments: Any, **named: Any) -> Any:
        raise KeyboardInterrupt

    return stopped
