"""The broker's doors: routes by party, authentication of calls, and errors as problem documents."""
